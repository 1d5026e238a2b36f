"""Places: which words of a message name a place in Peru, or one abroad.

Two lists by hand, of one word each (a place of several is known by its most telling one, "nueva york" by "york"),
and `gazetteer.txt` with whole names. By hand comes first: what is written there was looked at.
Not in: words that are commoner as something else (Paz, Cruz, Plata, Unión, Bravo), and names of persons.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

GAZETTEER = Path(__file__).parent / "gazetteer.txt"

_PERU = """
abancay acari acobamba acomayo aguaytia agustino amazonas ancash ancon andahuaylas angaraes anita anta
antabamba aplao apurimac arequipa ascope atalaya aucayacu ayabaca ayacucho ayaviri azangaro bagua
barranca barranco bellavista borja brena caballococha cajabamba cajamarca cajatambo calca callao camana
campoverde canchis candarave canete cangallo carabaya carabayllo caraveli caraz carhuaz casagrande
casma castrovirreyna catacaos caylloma cayma celendin chachapoyas chaclacayo chala chalhuanca chancay
chanchamayo chepen chiclayo chimbote chincha chinchero chincheros chivay chongoyape chorrillos chosica chota
chulucanas chumbivilcas chupaca churcampa cieneguilla coishco comas contamana contumaza coracora cotabambas
cotahuasi cusco cutervo cuzco desaguadero espinar eten ferrenafe gamarra guadalupe huacho huacrachuco
hualgayoc huallaga huamachuco huamanga huancabamba huancane huancavelica huancayo huanta huanuco huaral
huaraz huari huarmey huarochiri huasahuasi huaycan huaytara huepetuhe ica ilave ilo inapari iquitos isidro
jaen jauja jicamarca juanjui juli juliaca junin lamas lambayeque lampa lima lince lircay llata locumba
loreto lucanas lunahuana lurigancho lurin macusani magdalena majes maldonado manchay mancora manu marcona
matucana mazamari melgar merced miraflores mochumi mollendo monsefu moquegua morropon motupe moyobamba nasca
nauta nazca olivos ollantaytambo olmos omate oroya otuzco oxapampa oyon pacasmayo pachacamac paita
pallasca palpa panao pasco pativilca paucarpata paucartambo pedregal perene peru pichanaki pimentel pisac
pisco piura pocollay pomabamba pomalca porres pucallpa pucusana puno puquio putina quillabamba quispicanchi
recuay reque requena rimac rioja sachaca sandia satipo sechura sicuani sihuas socabaya sullana surco
surquillo tacna talara tambogrande tambopata tarapoto tarata tarma tayacaja tingo tocache trujillo tuman
tumbes ucayali urubamba ventanilla vilcashuaman viru vitarte wanchaq yanahuara yarinacocha yauyos yungay
yunguyo yurimaguas zapallal zarate zarumilla
"""

_ABROAD = """
abu acre adelaide africa afuera aichi aires alabama alaska albacete alberta alcorcon alemania algarve
alicante almeria ambato amberes amsterdam andalucia andorra angeles angola ankara antalya antofagasta arabia
argentina arica arizona aruba assis asturias asuncion atacama atenas atlanta auckland austin australia
austria aviv badajoz badalona bahamas bahrain bahrein baires bali bangkok barbados barcelona bariloche
barinas barquisimeto barranquilla basilea baviera bcn beijing belgica belgium belice bergamo berlin berna
bilbao biobio bogota bolivia bologna bolonia bonn boston braga brasil brasile brasilia brazil bremen brescia
bresil brisbane britania brooklyn bruselas bucaramanga bucarest budapest bulgaria burdeos burgos busan caba
cadiz cairo calama calgary cali california canada canarias cancun canelones cantabria caracas cartagena
casablanca castellon cataluna catalunya catamarca catania catar cerdena chequia chicago chile chillan china
chipre chubut cobija cochabamba colchane colombia colorado comodoro connecticut copacabana copenhague
copiapo coquimbo cordoba corea coruna cracovia croacia crucero cruceros cruise cuba cucuta cuenca curazao
curitiba dallas delhi denmark denver detroit deutschland dhabi dinamarca doha dominicana donostia dresde
dubai dublin dusseldorf ecuador edmonton ee eeuu egipto emirates emiratos encarnacion england escocia
eslovaquia eslovenia esmeraldas espagne espana espanha estambul estocolmo estonia estrasburgo etiopia eua
europa europe euskadi exterior extremadura filadelfia filipinas finland finlandia firenze florencia
florianopolis florida fortaleza foz france francia frankfurt fuenlabrada fuera fuerteventura fukuoka gales
galicia geneva genova germania germany gerona getafe giappone gifu gijon ginebra girona gomera gotemburgo
granada grecia greece guadalajara guangzhou guatemala guayaquil gunma guyana habana haiti hamamatsu hamburgo
hannover hawai hawaii helsinki hiroshima holanda honduras hong hospicio hospitalet houston huaquillas huelva
hungria ibiza idaho illinois india indiana indonesia inglaterra iowa ipiales iquique ireland irlanda isesaki
islandia israel istanbul italia italie italy jalisco jamaica japan japon jersey jerusalen jordania
jujuy kanagawa kansas kenia kentucky kiev kioto kobe kong korea kuwait lanus lanzarote lausana leganes
leipzig lerida letonia libano lille lisboa lisbon lituania liverpool lleida logrono loja lombardia london
londres louisiana lugano luxemburgo lyon macao macara machala madrid maipu malaga malasia malaysia mallorca
malmo malta managua manaos manaus manchester manhattan manitoba maracaibo maracay marruecos marsella
maryland massachusetts matanza medellin melbourne menorca merida mexico miami michigan michoacan milan
milano minnesota mississippi missouri monaco monterrey montevideo montreal moron moscu mostoles
mumbai munich murcia muscat nagoya nantes napoles napoli nebraska nepal netherlands neuquen nevada nicaragua
nigeria niza nj noruega norway nunoa nuremberg ny ohio oizumi okazaki okinawa oklahoma oman ontario oporto
oregon oruro osaka oslo osorno ottawa oviedo padova pakistan palermo pamplona panama paraguay paris pasto
patagonia paterson paulo pekin pennsylvania pereira perth perugia philadelphia philippines phoenix poland
polonia portland portugal potosi praga qatar quebec queens queensland queretaro quilicura quilmes
quito rancagua recife reino riad riberalta rivadavia roma rome rondonia rotterdam rumania rusia russia
sabadell saitama salzburgo santander santiago saskatchewan saudi seattle seoul serbia serena
sevilla shanghai sharjah shenzhen shizuoka sicilia sidney singapore singapur spagna spain states stuttgart
sucre sudafrica suecia suisse suiza surinam svizzera sweden switzerland sydney tabatinga tachira tailandia
taipei taiwan talca tampa tanger tarija tarragona temuco tenerife tennessee terrassa texas thailand tijuana
tokio tokyo toledo torino toronto toulouse tucuman turin turkey turquia ucrania uk ultramar unidos uruguay
usa ushuaia utah utrecht uu valladolid valparaiso vancouver varsovia vegas venezuela verona viena vietnam
vigo virginia vitoria washington winnipeg wisconsin wyoming yokohama york yucatan zaragoza zealand zelanda
zurich
"""

PERU = frozenset(_PERU.split())
ABROAD = frozenset(_ABROAD.split())

# A place: where its name begins, where it ends (exclusive), and whether it is in Peru.
Place = tuple[int, int, bool]


@cache
def _names() -> dict[str, list[tuple[tuple[str, ...], bool]]]:
    """The names of all places by their first word, the longest first."""
    names: dict[tuple[str, ...], bool] = {}
    in_peru = False
    for line in GAZETTEER.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            in_peru = line == "[PERU]"
        elif not line.startswith("#"):
            names |= {tuple(name.split("+")): in_peru for name in line.split()}
    for by_hand, place_in_peru in ((ABROAD, False), (PERU, True)):
        names.update({(name,): place_in_peru for name in by_hand})
    by_first: dict[str, list[tuple[tuple[str, ...], bool]]] = {}
    for name in sorted(names, key=len, reverse=True):
        by_first.setdefault(name[0], []).append((name, names[name]))
    return by_first


def places(words: Sequence[str]) -> Iterator[Place]:
    """Yield the places that folded words name, in order; of overlapping names the first, of those the longest."""
    known, end = _names(), 0
    for first, word in enumerate(words):
        if first < end or word not in known:
            continue
        for name, in_peru in known[word]:
            if tuple(words[first : first + len(name)]) == name:
                end = first + len(name)
                yield first, end, in_peru
                break
