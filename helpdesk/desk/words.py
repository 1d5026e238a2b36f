"""The words for lines, states and events that people read (es-PE), in one place."""

from __future__ import annotations


def N_(text: str) -> str:
    """Mark a text for translation where it stands; the page that shows it translates it."""
    return text


LINES_ES = {
    "abroad": N_("Quiero trabajar en el extranjero"),
    "return": N_("Quiero retornar al Perú"),
    "resident_abroad": N_("Trabajo en el extranjero"),
    "foreigner": N_("Extranjeros que trabajan en el Perú"),
    "none": N_("Fuera de ámbito"),
}
LINES_SHORT_ES = {
    "abroad": N_("Ir al extranjero"),
    "return": N_("Retorno"),
    "resident_abroad": N_("Residentes fuera"),
    "foreigner": N_("Extranjeros"),
    "none": N_("Fuera de ámbito"),
}
# For people who read the public pages.
LINES_PUBLIC_ES = {
    "abroad": N_("Quiero trabajar en otro país"),
    "return": N_("Quiero volver al Perú"),
    "resident_abroad": N_("Soy peruano y trabajo en otro país"),
    "foreigner": N_("Soy extranjero y trabajo o quiero trabajar en el Perú"),
    "none": N_("Otros trámites: quién los ve"),
}
KINDS_ES = {
    "consulta": N_("Consulta"),
    "reclamo": N_("Reclamo"),
    "queja": N_("Queja"),
    "informacion_publica": N_("Información pública"),
    "datos_personales": N_("Datos personales"),
    "denuncia": N_("Denuncia"),
}
URGENCIES_ES = {
    "trafficking": N_("Posible trata de personas"),
    "violence": N_("Violencia o amenazas"),
    "detention": N_("Persona detenida"),
    "deadline": N_("Vence en pocos días"),
}
# The relations that classifier/signals.py finds, as the ticket page names them.
SIGNS_ES = {
    "soy_peruano": N_("dice ser peruano"),
    "soy_extranjero": N_("dice ser extranjero"),
    "peruano": N_("nombra a un peruano"),
    "otra_nacionalidad": N_("nombra otra nacionalidad"),
    "vivo_fuera": N_("vive fuera del Perú"),
    "vivo_peru": N_("vive en el Perú"),
    "trabajo_fuera": N_("trabaja fuera del Perú"),
    "trabajo_peru": N_("trabaja en el Perú"),
    "tiempo_fuera": N_("años fuera del Perú"),
    "tiempo_peru": N_("años en el Perú"),
    "estuve_fuera": N_("estuvo fuera del Perú"),
    "quiero_volver": N_("quiere volver"),
    "no_volver": N_("no quiere volver"),
    "volver_peru": N_("vuelve al Perú"),
    "volver_fuera": N_("vuelve a un lugar fuera del Perú"),
    "ya_volvi": N_("ya volvió"),
    "de_visita": N_("de visita"),
    "ir_fuera": N_("va fuera del Perú"),
    "quiero_ir": N_("quiere irse"),
    "ir_a_peru": N_("viene al Perú"),
    "busco_fuera": N_("busca trabajo fuera del Perú"),
    "contratar_extranjero": N_("contratar a un extranjero"),
    "pariente_fuera": N_("un familiar fuera del Perú"),
    "pariente_peru": N_("un familiar en el Perú"),
    "pariente_extranjero": N_("un familiar extranjero"),
    "pariente_peruano": N_("un familiar peruano"),
    "lugar_fuera": N_("nombra un lugar fuera del Perú"),
    "lugar_peru": N_("nombra un lugar del Perú"),
}
NOT_URGENT_ES = N_("No es urgente")
MODELS_ES = {
    "candidate": N_("por decidir"),
    "active": N_("en uso"),
    "refused": N_("no se adoptó"),
    "retired": N_("retirado"),
}
UNSORTED_ES = N_("Por clasificar")
STATUSES_ES = {"open": N_("Abierta"), "waiting": N_("En espera"), "closed": N_("Cerrada")}
OUTGOING_ES = {
    "ready": N_("por salir"),
    "handing": N_("saliendo"),
    "sent": N_("enviada"),
    "uncertain": N_("se reintentará: el servidor cortó la conexión"),
    "failed": N_("no se pudo entregar"),
    "cancelled": N_("deshecha"),
}
MAIL_ES = {
    "received": N_("por archivar"),
    "filed": N_("archivado"),
    "duplicate": N_("duplicado"),
    "set_aside": N_("apartado"),
    "vanished": N_("desapareció del buzón"),
    "unrelated": N_("enviado sin atención"),
}
# How two tickets are linked, read from the ticket whose page is shown.
LINKS_ES = {
    "follows": N_("Continúa"),
    "follows_back": N_("Continúa en"),
    "mentions": N_("Menciona"),
    "mentions_back": N_("Mencionada en"),
    "split_from": N_("Separada de"),
    "split_from_back": N_("De aquí se separó"),
    "see_also": N_("Vea también"),
    "see_also_back": N_("Vea también"),
}
# What the parser's process says when it fails (helpdesk.mail.sandbox).
PARSER_REASONS_ES = {
    "took longer than 20 s": N_("leerlo tomó más de 20 s"),
    "took longer than 10 s of CPU": N_("leerlo tomó más de 10 s de procesador"),
    "used more than 512 MB": N_("leerlo necesitó más de 512 MB de memoria"),
    "the parser process died": N_("el proceso que lo leía terminó de golpe"),
    "the parser process did not start": N_("el proceso que lee correos no arrancó"),
    "the stored bytes are damaged": N_("lo guardado ya no es lo que llegó"),
}
# Every kind of event that `helpdesk.desk.ticket.record` may write.
EVENTS = {
    "no_answer_fits": N_("Ninguna respuesta servía"),
    "opened": N_("Atención abierta"),
    "filed_by_hand": N_("Atención abierta a mano de un correo que no se pudo leer"),
    "joined": N_("Se unió un mensaje"),
    "linked": N_("Enlazada con otra atención"),
    "merged": N_("Unida a otra atención"),
    "absorbed": N_("Se le unió otra atención"),
    "moved": N_("Mensaje movido a otra atención"),
    "moved_here": N_("Se movió aquí un mensaje de otra atención"),
    "split": N_("Mensajes separados en una atención nueva"),
    "kept_apart": N_("Revisada: es una atención aparte"),
    "undone": N_("Deshecho"),
    "forwarded": N_("La reenvió a la mesa"),
    "answered_elsewhere": N_("Respondida fuera de la mesa"),
    "line_by_mailbox": N_("Línea del buzón"),
    "forged_token": N_("Trae una referencia nuestra falsificada"),
    "delayed": N_("El correo se demora en llegar"),
    "related": N_("Menciona otra atención, pero su remitente no está en ella"),
    "automatic": N_("Correo automático"),
    "bounced": N_("El correo rebotó"),
    "complained": N_("Quien lo recibió marcó el correo como no deseado"),
    "sorted": N_("Clasificada"),
    "abstained": N_("Por clasificar: el clasificador no está seguro"),
    "not_sorted": N_("Sin clasificar"),
    "sorted_late": N_("Clasificada después"),
    "urgent": N_("Marcada como urgente"),
    "urgency_changed": N_("Urgencia cambiada"),
    "kind_changed": N_("Tipo cambiado"),
    "line_changed": N_("Línea cambiada"),
    "line_confirmed": N_("Línea confirmada"),
    "assigned": N_("Asignación"),
    "status_changed": N_("Estado"),
    "acknowledged": N_("Acuse de recibo"),
    "not_acknowledged": N_("Sin acuse de recibo"),
    "answer_used": N_("Respuesta sugerida usada"),
    "replied": N_("Respuesta escrita"),
    "reply_undone": N_("Respuesta deshecha"),
    "sent": N_("Respuesta enviada"),
    "send_uncertain": N_("El servidor cortó la conexión: no se sabe si la tomó"),
    "send_failed": N_("La respuesta no se pudo entregar"),
    "send_hastened": N_("Se adelantó el envío programado"),
    "reply_held": N_("El envío programado se detuvo"),
    "sent_again": N_("Se intentará enviar otra vez"),
    "noted": N_("Nota interna"),
    "filed": N_("Solicitud de constancia presentada"),
    "filing_observed": N_("Solicitud observada"),
    "filing_corrected": N_("La observación se levantó o se explicó"),
    "filing_registered": N_("Una persona aprobó la solicitud"),
    "filing_refused": N_("Una persona no registró la solicitud"),
    "filing_lapsed": N_("Venció el plazo: se tiene por no presentada"),
    "constancia_issued": N_("Constancia emitida"),
    "constancia_sealed": N_("Sello puesto en la constancia"),
    "constancia_replaced": N_("Constancia reemplazada"),
    "constancia_ended": N_("Término registrado en la constancia"),
    "constancia_annulled": N_("Constancia anulada"),
    "constancia_sent": N_("Copia de la constancia enviada"),
    "inspection_drawn": N_("Salió en el sorteo de fiscalización posterior"),
    "inspection_decided": N_("Fiscalización posterior: resultado"),
}

LANGUAGES_ES = {"es": N_("español"), "en": N_("inglés"), "pt": N_("portugués")}
ANSWER_STATES_ES = {
    "draft": N_("Borrador"),
    "in_review": N_("En revisión"),
    "approved": N_("Aprobada"),
    "retired": N_("Retirada"),
}
ANSWER_EVENTS_ES = {
    "created": N_("Creada"),
    "saved": N_("Cambiada"),
    "submitted": N_("Enviada a revisión"),
    "sent_back": N_("Devuelta"),
    "approved": N_("Aprobada"),
    "replaced": N_("Reemplazada"),
    "retired": N_("Retirada"),
    "imported": N_("Traída de los archivos"),
}
ANSWER_FIELDS_ES = {
    "slug": N_("Nombre corto"),
    "language": N_("Idioma"),
    "title": N_("Título"),
    "line": N_("Línea"),
    "topic": N_("Tema"),
    "source": N_("Fuente"),
    "owner": N_("Responsable"),
    "valid_from": N_("Vigente desde"),
    "review_by": N_("Revisar antes del"),
    "public": N_("Pública"),
    "keywords": N_("Palabras clave"),
    "questions": N_("Así lo preguntan"),
    "attachments": N_("Archivos"),
    "body": N_("Texto"),
}
# What can be wrong with an answer (templates/answer.py), for whoever writes it on a page.
ANSWER_FAULTS_ES = {
    "slug": N_("Use minúsculas, cifras y guiones, 60 como máximo."),
    "title": N_("Escriba un título de una línea, de 120 letras como máximo, sin datos que completar."),
    "language": N_("Elija uno de los idiomas de la lista."),
    "line": N_("Elija una de las líneas de la lista."),
    "topic": N_("El tema «%(detail)s» no es de esta línea."),
    "placeholder": N_("«%(detail)s» no es un dato que se pueda completar. Use los de la tabla."),
    "empty": N_("Escriba el texto."),
    "long": N_("El texto es demasiado largo: el correo debe pesar poco."),
    "control": N_("El texto contiene un carácter que no se puede enviar."),
    "public": N_("Quien la lea en la web no puede completar datos: quítelos, o no la publique."),
    "dates": N_("La revisión debe ser posterior al inicio de la vigencia."),
    "items": N_("Son demasiados, o alguno es muy largo: 40 como máximo, de 300 letras cada uno."),
    "line_of_spanish": N_("La línea y el tema deben ser los del texto en español."),
    "file_name": N_("El archivo «%(detail)s» debe llamarse con letras, cifras, espacios o puntos."),
    "files": N_("Los archivos pesan más de 5 MB en total."),
    "date": N_("Escriba una fecha, día, mes y año."),
    "taken": N_("Ya hay una respuesta con ese nombre corto."),
    "unchanged": N_("Es igual a la versión aprobada: no hay nada que revisar."),
    "overdue": N_("La fecha de revisión ya pasó: ponga una posterior antes de aprobar."),
}
OUTCOMES_ES = {
    "used": N_("enviada tal cual"),
    "edited": N_("enviada con cambios"),
    "discarded": N_("descartada"),
    "passed": N_("se envió otra cosa"),
}
FILING_KINDS_ES = {
    "registration": N_("Solicitud de constancia"),
    "extension": N_("Prórroga"),
    "modification": N_("Modificación"),
    "correction": N_("Corrección de error material"),
    "end": N_("Término del contrato"),
    "duplicate": N_("Duplicado"),
}
FILING_STATES_ES = {
    "observed": N_("Observada"),
    "registered": N_("Registrada"),
    "lapsed": N_("Se tiene por no presentada"),
    "refused": N_("No se registró"),
}
STANDINGS_ES = {
    "in_force": N_("Vigente"),
    "replaced": N_("Reemplazada"),
    "annulled": N_("Anulada"),
    "expired": N_("Vencida"),
    "unknown": N_("No existe"),
}
INSPECTIONS_ES = {
    "open": N_("Por ver"),
    "in_progress": N_("En curso"),
    "conforming": N_("Conforme"),
    "irregular": N_("Con hallazgos"),
}
LOOKS_ES = {
    "page": N_("la solicitud"),
    "pdf": N_("la constancia"),
    "contract": N_("el contrato"),
    "export": N_("una exportación"),
    "correction": N_("empezó una corrección"),
}
