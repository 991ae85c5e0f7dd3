"""What we say and what people may say to us: every Chinese word of the project.

For authors of texts. One message is one file, `messages/<topic>/<name>.txt`, said as `render("<topic>/<name>", ...)`.
Its first line is a comment that says when it is said and which values it takes, and nothing else may be used in it:

    {# said when a report is complete; values: receipt, danger #}
    已收到，谢谢您。回执号 {{ receipt|receipt }}
    {% if danger %}
    人有危险请先打 110。
    {% endif %}

A message without values says `values: none`. A question of a flow lives in `messages/<flow>/<question>.txt`; its first
paragraph is the question itself and has at most 40 characters. Pages are `messages/pages/<name>.html`, with the same
first line; a file whose name begins with `_` is a part that others include or extend. Filters: `label("kind")`, `day`,
`clock`, `ago(now)`, `receipt`, `percent`, `digits`. `tests/messages` proves all this.

Words people may type are in `words.toml`, ways of naming an option in `choices.toml`, words for codes in `labels.toml`,
the menus in `menu.toml`, the words of danger and trouble in `lexicon/`. Nothing here knows another package of ours.
"""

from messages.choosing import choose
from messages.menus import menu
from messages.reading import Command, answer_words, command, number, pattern, plain
from messages.rendering import label, labels, lexicon, render, render_page

__all__ = [
    "Command",
    "answer_words",
    "choose",
    "command",
    "label",
    "labels",
    "lexicon",
    "menu",
    "number",
    "pattern",
    "plain",
    "render",
    "render_page",
]
