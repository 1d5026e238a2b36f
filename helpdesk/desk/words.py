"""The words for lines, states and events that people read (es-PE), in one place."""

from __future__ import annotations

LINES_ES = {
    "abroad": "Quiero trabajar en el extranjero",
    "return": "Quiero retornar al Perú",
    "resident_abroad": "Trabajo en el extranjero",
    "foreigner": "Extranjeros que trabajan en el Perú",
    "none": "Fuera de ámbito",
}
LINES_SHORT_ES = {
    "abroad": "Ir al extranjero",
    "return": "Retorno",
    "resident_abroad": "Residentes fuera",
    "foreigner": "Extranjeros",
    "none": "Fuera de ámbito",
}
UNSORTED_ES = "Por clasificar"
STATUSES_ES = {"open": "Abierta", "waiting": "En espera", "closed": "Cerrada"}
OUTGOING_ES = {
    "ready": "por salir",
    "handing": "saliendo",
    "sent": "enviada",
    "uncertain": "se reintentará: el servidor cortó la conexión",
    "failed": "no se pudo entregar",
    "cancelled": "deshecha",
}
# What the parser's process says when it fails (helpdesk.mail.sandbox).
PARSER_REASONS_ES = {
    "took longer than 20 s": "leerlo tomó más de 20 s",
    "took longer than 10 s of CPU": "leerlo tomó más de 10 s de procesador",
    "used more than 512 MB": "leerlo necesitó más de 512 MB de memoria",
    "the parser process died": "el proceso que lo leía terminó de golpe",
    "the parser process did not start": "el proceso que lee correos no arrancó",
}
# Every kind of event that `helpdesk.desk.ticket.record` may write.
EVENTS = {
    "opened": "Atención abierta",
    "joined": "Se unió un mensaje",
    "related": "Menciona otra atención, pero su remitente no está en ella",
    "automatic": "Correo automático",
    "bounced": "El correo rebotó",
    "sorted": "Clasificada",
    "abstained": "Por clasificar: el clasificador no está seguro",
    "not_sorted": "Sin clasificar",
    "line_changed": "Línea cambiada",
    "line_confirmed": "Línea confirmada",
    "assigned": "Asignación",
    "status_changed": "Estado",
    "acknowledged": "Acuse de recibo",
    "not_acknowledged": "Sin acuse de recibo",
    "answer_used": "Respuesta sugerida usada",
    "replied": "Respuesta escrita",
    "reply_undone": "Respuesta deshecha",
    "sent": "Respuesta enviada",
    "send_failed": "La respuesta no se pudo entregar",
    "sent_again": "Se intentará enviar otra vez",
    "noted": "Nota interna",
}
