"""Small pictures, encoded anew in a child process (T42, T45)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from helpdesk.desk.files import Blob, Preview, Scan
from helpdesk.desk.previews import make_due
from helpdesk.mail.child import ChildFailed
from helpdesk.mail.pictures import LIMITS, MAX_SIDE, TOO_LARGE, UNREADABLE, PictureMaker
from tests.core.test_clamav import with_files
from tests.desk import Desk
from tests.hostile_files import DRAWING, PAGE, contents, png

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")


@pytest.fixture(scope="module")
def maker() -> Iterator[PictureMaker]:
    with PictureMaker() as running:
        yield running


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    out = BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    """What came out, decoded."""
    return Image.open(BytesIO(content))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_comes_out_as_a_small_webp(maker: PictureMaker, kind: str) -> None:
    made = maker.make(encoded(Image.new("RGB", (3_000, 1_500), "red"), kind))
    assert (made.width, made.height) == (MAX_SIDE, MAX_SIDE // 2)
    out = opened(made.content)
    assert out.format == "WEBP"
    assert out.size == (made.width, made.height)
    red, green, blue = out.convert("RGB").getpixel((10, 10))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 30


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_pixel_is_understood(maker: PictureMaker, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    made = maker.make(encoded(Image.new(mode, (40, 30)), kind))
    assert (made.width, made.height) == (40, 30)


def test_what_is_transparent_stays_so(maker: PictureMaker) -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert opened(maker.make(encoded(image)).content).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_where_and_with_what_it_was_taken_does_not_come_along(maker: PictureMaker) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secreto"
    exif[0x0112] = 6  # to be turned by a quarter
    content = encoded(
        Image.new("RGB", (40, 20)), "JPEG", exif=exif, comment=b"secreto", icc_profile=b"secreto"
    )
    assert b"secreto" in content
    made = maker.make(content)
    assert (made.width, made.height) == (20, 40)
    assert b"secreto" not in made.content
    assert not {"exif", "icc_profile", "xmp"} & set(opened(made.content).info)


def test_a_moving_picture_stands_still(maker: PictureMaker) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "green", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert getattr(opened(maker.make(content).content), "n_frames", 1) == 1


@pytest.mark.parametrize("size", [(9_000, 9_000), (60_000, 60_000), (25_000_001, 1), (2**31 - 1, 2**31 - 1)])
def test_T45_a_flood_of_pixels_is_refused_before_it_is_decoded(
    maker: PictureMaker, size: tuple[int, int]
) -> None:
    content = png(*size)
    assert len(content) < 200
    with pytest.raises(ChildFailed) as failure:
        maker.make(content)
    assert failure.value.reason in (TOO_LARGE, UNREADABLE)


def test_T45_the_largest_picture_that_is_allowed_is_made_within_the_limits(maker: PictureMaker) -> None:
    made = maker.make(encoded(Image.new("RGBA", (5_000, 5_000)), compress_level=1))
    assert made.width == MAX_SIDE


NO_PICTURES = {
    "empty": b"",
    "cut.png": png(100, 100),
    "page": PAGE,
    "drawing": DRAWING,
    "a.tiff": encoded(Image.new("RGB", (9, 9)), "TIFF"),
    **{name: content for name, content in contents().items() if name != "png-y-html.png"},
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_of_ours_is_refused_and_the_child_lives_on(maker: PictureMaker, name: str) -> None:
    with pytest.raises(ChildFailed):
        maker.make(NO_PICTURES[name])


def test_T50_what_hangs_on_behind_a_picture_does_not_come_along(maker: PictureMaker) -> None:
    assert b"script" not in maker.make(contents()["png-y-html.png"]).content


def test_a_picture_that_needs_more_than_the_limits_fails_alone() -> None:
    with (
        PictureMaker(replace(LIMITS, wall_s=0.001)) as hurried,
        pytest.raises(ChildFailed, match="took longer"),
    ):
        hurried.make(encoded(Image.effect_noise((3_000, 3_000), 90)))


def test_the_worker_makes_the_previews_that_are_due_once(desk: Desk) -> None:
    good = encoded(Image.new("RGB", (2_000, 1_000)))
    desk.file(
        with_files(("foto.png", good), ("otra.png", good), ("mala.png", png(9_000, 9_000)), ("a.txt", b"x"))
    )
    assert make_due(desk.sessions, scanning=False) == 2
    assert make_due(desk.sessions, scanning=False) == 0
    with desk.sessions() as session:
        rows = sorted(session.query(Preview), key=lambda row: row.reason or "")
        assert [(row.type, row.width, row.height, row.reason) for row in rows] == [
            ("image/webp", 1_200, 600, None),
            (None, None, None, TOO_LARGE),
        ]


def test_T47_nothing_infected_is_decoded(desk: Desk) -> None:
    desk.file(with_files(("foto.png", encoded(Image.new("RGB", (20, 10))))))
    with desk.sessions.begin() as session:
        session.query(Blob).update({"scan": Scan.INFECTED.value})
    assert make_due(desk.sessions, scanning=False) == 0
