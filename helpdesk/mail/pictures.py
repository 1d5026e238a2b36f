"""Small pictures for the pages: decoded, shrunk and encoded anew, in a child process under limits.

In: the limits before and while decoding, the new picture without anything of the old but what is seen. Not in:
which files get one and where it is kept (`helpdesk.desk.previews`). No byte of a stranger's picture reaches a
browser: what is shown is always our own WebP (T42, T45; OWASP ASVS 5.0, 5.2).
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from helpdesk.mail.answering import Refusal, serve
from helpdesk.mail.child import Answer, ChildFailed, LimitedChild, Limits

MAX_PIXELS = 25_000_000
MAX_SIDE = 1_200
QUALITY = 80
TYPE = "image/webp"
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")

# 25 million pixels of four bytes, twice while they are converted, and the shrunk picture.
LIMITS = Limits(
    wall_s=10.0, cpu_s=8, memory_bytes=320 << 20, requests_per_worker=50, max_content_bytes=5_000_000
)
TOO_LARGE = "more than 25 million pixels"
UNREADABLE = "not a picture that can be read"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture made by us: WebP, at most 1,200 pixels wide and high, without metadata."""

    width: int
    height: int
    content: bytes
    type: str = TYPE


class PictureMaker:
    """Makes small pictures in a child process; used as a context manager it leaves none behind."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._child = LimitedChild("helpdesk.mail.pictures", "picture", limits)

    def __enter__(self) -> PictureMaker:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def make(self, content: bytes) -> Picture:
        """Return a small picture of `content`. Raises ChildFailed with the reason when none can be made."""
        answer, blocks = self._child.ask(content)
        width, height = answer.get("width"), answer.get("height")
        if not isinstance(width, int) or not isinstance(height, int) or len(blocks) != 1:
            raise ChildFailed("the picture process died")
        return Picture(width, height, blocks[0])


def shrink(content: bytes) -> Picture:
    """Decode a picture and encode it anew; only the first frame of a moving one.

    Raises Refusal with the reason. Runs in the child: the decoders are C, and read what strangers made.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                _check_size(image)
                image.verify()
            # `verify` leaves nothing to decode: the picture is opened again.
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                image.draft("RGB", (MAX_SIDE, MAX_SIDE))
                image.load()
                _check_size(image)
                return _encode(ImageOps.exif_transpose(_plain(image)))
        except (MemoryError, Refusal):
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise Refusal(TOO_LARGE) from error
        except Exception as error:
            # Pillow's decoders raise whatever their format makes them stumble over; none of it is ours.
            raise Refusal(UNREADABLE) from error


def _check_size(image: Any) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Refusal(TOO_LARGE)
    if not width or not height:
        raise Refusal(UNREADABLE)


def _plain(image: Any) -> Any:
    """The picture shrunk, in one of the two modes that our WebP has."""
    has_alpha = "A" in image.mode or "transparency" in image.info
    if image.mode.startswith("I"):  # grey in 16 bits, as some scanners write it
        image = image.point(lambda value: value / 256).convert("L")
    # Palettes and single bits must be colours before they can be mixed; everything else is shrunk first.
    if image.mode in ("P", "1", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if has_alpha else "RGB")
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image.convert("RGBA" if has_alpha else "RGB")


def _encode(image: Any) -> Picture:
    image.info.clear()  # comments, profiles, places: what Pillow would carry over
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=2, exif=b"", icc_profile=b"", xmp=b"")
    return Picture(image.width, image.height, out.getvalue())


def load_libraries() -> None:
    """Import Pillow and the four formats once, before the workers are forked."""
    for name in ("Image", "ImageOps", *(f"{name.title()}ImagePlugin" for name in ("png", "jpeg", "gif"))):
        importlib.import_module(f"PIL.{name}")
    importlib.import_module("PIL.WebPImagePlugin")


def _answer(request: bytes) -> Answer:
    picture = shrink(request)
    return {"width": picture.width, "height": picture.height}, [picture.content]


if __name__ == "__main__":
    serve(_answer, LIMITS, load_libraries)
