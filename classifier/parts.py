"""Parts: which words play which part in the grammar of a request, as word lists.

Folded words of Spanish, English, Portuguese, Italian and French, written from reading mail. A word that is no
part and no place is just a word.
"""

# One letter for each part. A word that is in two parts belongs to the later one.
PARTS = {
    # Institutions and papers of Peru.
    "i": """
        afp afps beca boleta brevete cas cts digesa dni essalud gratificacion indeci indecopi
        liquidacion minedu minsa mtpe onp osce osinergmin ositran pension65 planilla produce
        pronabec reniec ruc senasa serfor serums sis sol soles sunafil sunarp sunat sunedu susalud
        sutran ugel ugeles
    """,
    # Papers and offices of foreigners in Peru.
    "J": """
        andina andino andinos asilo carne carnet constancia cpp expat expatriado expatriados
        extranjeria migracion migraciones migratoria migratorio ptp ptpe refugiada refugiado
        refugiados sivice sivitma solicitante
    """,
    # Papers and offices abroad, consulates.
    "O": """
        anmeldung anses apostilla apostillado arraigo cancilleria card cesantia codice consolato
        consul consulado consulados consulat consulate crnm ctps cuil cuit ein embajada embassy
        empadronamiento fgts finiquito fiscale fonasa green greencard h2a h2b ice inps inss isapre
        lmia monotributo nenkin nie nomina nominas padron paro permesso ppt rnm rut sermig soggiorno
        ssn tie uscis visa visado zairyu
    """,
    # Money of other countries.
    "U": """
        ars bolivianos bs clp cop dirhams dolar dolares dollars eur euro euros francos libras pesos
        pounds real reales riales usd wones yen yenes
    """,
    # Here.
    "A": """
        aca aqui here qui
    """,
    # There.
    "B": """
        ahi alla alli lagiu there
    """,
    # Moving for good.
    "T": """
        boleto camioneta container contenedor definitiva definitivamente definitivo menaje mudanza
        pasaje siempre vuelo
    """,
    # The returnee card.
    "Q": """
        30001 franquicia menaje retorno tarjeta
    """,
    # Study and tourism.
    "W": """
        beca colegio estudiar estudio estudios luna maestria tesis turismo turista universidad
        vacaciones
    """,
    # Who employs.
    "z": """
        clinica duena dueno empleador empresa fabrica finca hotel jefa jefe mina obra patron
        restaurante senor senora sr
    """,
    # Small words a pattern may step over; "_" is any other word, "." any punctuation.
    "-": """
        en a al de del la las el los lo le les me te se nos y o que un una unos unas con por para hacia mi
        mis su sus aqui aca alla ya muy tan in to the of for from my our i we you il di da em no estado
        nom eu je suis et ciudad ciudades provincia distrito region nacionalidad ciudadano ciudadana
        origen nacimiento natural actualmente ahora currently hoy tambien solo sola citizen national
        regularmente legalmente nuevamente definitivamente
    """,
    # After these "trabajo" is a noun.
    "d": "el un una de del mi mis su sus al algun otro este ese buen nuevo cualquier",
    "E": "extranjero extranjera extranjeros extranjeras",
    "N": """
        ancashina ancashino andahuaylino apurimeno arequipena arequipeno ashaninka awajun ayacuchana
        ayacuchano cajamarquina cajamarquino chalaca chalaco charapa charapita chiclayana chiclayano
        chimbotana chimbotano cusquena cusqueno cuzqueno huancaina huancaino huanuqueno huaracino
        huaralino iquena iqueno iquitena iquiteno juliaquena juliaqueno limena limeno limenos
        loretana loretano moqueguano norteno paiteno piurana piurano pucallpino punena puneno
        serrana serrano shipibo sullanera sullanero tacnena tacneno tarapotino tarmeno trujillana
        trujillano tumbesina tumbesino
        peruano peruana peruanos peruanas peruanito peruanita peruvian peruvians peruviano peruviana
        peruviani peruviane peruvien peruvienne connacional connacionales compatriota compatriotas paisano
        paisanos
    """,
    "F": """
        angoleno argelino austriaca austriaco barines bengali bogotana bogotano bulgaro calena
        caleno camerunes caraquena caraqueno chama chamo chamos checo congoles costeno croata
        crucena cruceno danes dominicana dominicano egipcio escoces etiope finlandes ghanes griego
        gringa gringo guatemalteca guayaquilena guayaquileno habanera habanero haitiana hondurena
        hungaro indonesia indonesio iraqui irlandes israeli jamaicano jordano keniano kiwi malasio
        maracucha maracucho marroqui merideno mozambiqueno nano nepali nicaraguense nigeriana
        noruega noruego pacena paceno paisa pakistani palestina palestino pana parce portena porteno
        puertorriqueno quitena quiteno rolo rumana rumano salvadorena santiaguina santiaguino
        senegales serbio siria sirio sudafricana sudafricano tachirense tailandes tunecino turco
        ucraniano valenciana valenciano vecino vietnamita
        venezolano colombiano ecuatoriano boliviano chileno argentino brasileno brasilero uruguayo
        paraguayo cubano haitiano dominicano mexicano hondureno salvadoreno guatemalteco nicaraguense
        panameno costarricense espanol italiano frances aleman ingles britanico estadounidense
        norteamericano americano canadiense chino japones coreano indio hindu ucraniano ruso polaco
        portugues suizo belga holandes sueco turco filipino australiano nigeriano marroqui libanes
        venezolana colombiana ecuatoriana boliviana chilena brasilena brasilera uruguaya paraguaya cubana
        haitiana mexicana hondurena salvadorena guatemalteca panamena espanola italiana francesa alemana
        inglesa britanica norteamericana americana japonesa coreana ucraniana rusa polaca portuguesa
        holandesa sueca turca filipina venezolanos venezolanas colombianos colombianas ecuatorianos
        ecuatorianas bolivianos bolivianas chilenos chilenas argentinos argentinas brasilenos brasileros
        uruguayos paraguayos cubanos haitianos dominicanos mexicanos espanoles italianos franceses
        alemanes ingleses estadounidenses chinos chinas japoneses coreanos rusos portugueses foreign
        foreigner foreigners venezuelan colombian ecuadorian bolivian chilean argentinian argentine
        brazilian cuban haitian mexican spanish italian french german british american canadian chinese
        japanese korean ukrainian russian brasileira brasileiro estrangeiro estrangeira straniero
        straniera etranger
    """,
    "s": "soy somos am are sono sou siendo ser naci nacido nacida",
    "l": """
        vivo vivimos resido residimos radico radicamos viviendo radicando residiendo residente residentes
        radicado radicada radicados encuentro encontramos estoy estamos live living moro vivendo abito
        habite
    """,
    "w": """
        trabajando trabajamos laboro laboramos laborando work working lavoro trabalho trabalhando empleada
    """,
    "t": "trabajo trabajos empleo labor chamba pega curro job",
    "v": "vive viven trabaja trabajan labora laboran reside residen esta estan radica lives works",
    "q": """
        quiero quisiera quisieramos deseo deseamos quiere quieren desea queremos pienso pensamos piensa
        planeo planeamos gustaria interesa interesado interesada pretendo voy vamos va want would like
        plan planning wish quero gostaria vorrei voglio voudrais decidi decidimos
    """,
    "g": """
        ir irme irnos irse viajar viajo viajamos migrar emigrar migro salir mudarme mudarnos mudo postular
        aplicar partir go move marcharme postulo voyme
    """,
    "k": "trabajar laborar emplearme emplearnos ejercer trabajarme lavorare trabalhar travailler",
    "r": """
        volver regresar retornar volvernos regresarnos regresarme volverme volverse retorno regreso vuelvo
        vuelta regresamos volvemos retornamos regresando volviendo retornando return returning back voltar
        tornare rentrer repatriar repatriarme repatriacion
    """,
    "R": """
        volvi regrese retorne volvimos retornado retornada retornados retornante vuelto regresado returned
        deportado deportada deportaron deportados repatriado repatriada
    """,
    "c": """
        venir vengo venimos llegar ingresar ingreso entrar vine vino llegue llego viene vienen traer come
        venirme
    """,
    "V": "visita vacaciones visitar paseo turismo turista holiday tourist fiestas",
    "m": "no nunca tampoco ni jamas sin not never non nao",
    "a": "trabaje vivi estuve labore trabajaba vivia estaba estuvimos worked lived residi",
    "h": """
        contratar contratamos contrate contrataron contratarlo contratarla contratando planilla empleador
        empleadora hire hiring contratacion incorporar
    """,
    "e": """
        trabajador trabajadora trabajadores trabajadoras empleado empleados colaborador colaboradora
        colaboradores personal ingeniero profesional profesor docente tecnico cocinero worker workers
        employee
    """,
    "p": """
        hijo hija hijos hijas hermano hermana hermanos esposo esposa marido mujer mama papa madre padre
        padres sobrino sobrina tio tia primo prima novio novia pareja conviviente amigo amiga cunado
        cunada suegro suegra husband wife son daughter brother sister yerno nuera nieto nieta
    """,
    "b": """
        busco buscar buscando conseguir encontrar oferta ofertas ofrecen ofrecieron ofrece visa visado
        agencia convocatoria vacante reclutan reclutador
    """,
    "y": "anos ano meses years months anni semanas",
    "D": "desde from dal",
}

SMALL, OTHER, STOP, IN_PERU, ABROAD = "-", "_", ".", "P", "X"
LETTER = {word: letter for letter, listed in PARTS.items() for word in listed.split()}
