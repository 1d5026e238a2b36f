"""A small made-up data set on three topics, for tests that need a trained model but not the corpus."""

import itertools

from classifier import Row, Text

PHRASES = {
    "weather": (
        ("It rained", "Heavy clouds came", "Snow fell", "The storm moved", "A cold wind blew"),
        ("over the hills", "all morning", "near the coast", "before the sunny afternoon"),
    ),
    "sport": (
        (
            "Our team scored",
            "The goalkeeper trained",
            "The runner won",
            "Two players tied",
            "The match ended",
        ),
        ("in the stadium", "after the second half", "with a late goal", "at the league final"),
    ),
    "food": (
        ("She baked bread", "We fried potatoes", "The soup boiled", "He grilled fish", "They tasted cheese"),
        ("in the kitchen", "with salt and lemon", "for a tasty dinner", "from the new recipe"),
    ),
}


def small_rows() -> list[Row]:
    """Return sixty short messages, twenty of each topic."""
    return [
        Row(Text("hello" if number % 2 else "", f"{start} {end}."), topic, f"{topic}-{number}")
        for topic, (starts, ends) in PHRASES.items()
        for number, (start, end) in enumerate(itertools.product(starts, ends))
    ]
