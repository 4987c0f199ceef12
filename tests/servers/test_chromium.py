from __future__ import annotations

import struct
import zlib
from pathlib import Path

from tests.fixtures.servers.chromium import Chromium
from tests.servers.answering import answering

PAGE = "<body><script>document.body.style.background = '#' + '0a14' + '1e'; document.title = 6 * 7</script>"


def first_pixel(png: bytes) -> tuple[int, int, bytes]:
    """Return width, height and the colour of the corner, which no filter of PNG changes in the first line."""
    width, height = struct.unpack(">II", png[16:24])
    data, place = b"", 8
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + size]
        place += size + 12
    return width, height, zlib.decompress(data)[1:4]


def test_a_screenshot_shows_what_the_scripts_of_a_page_made(chromium: Chromium, tmp_path: Path) -> None:
    with answering(PAGE, "text/html") as port:
        url = f"http://127.0.0.1:{port}/"
        chromium.screenshot(url, tmp_path / "page.png", width=640, height=480)
        assert "<title>42</title>" in chromium.text(url)
    assert first_pixel((tmp_path / "page.png").read_bytes()) == (640, 480, b"\x0a\x14\x1e")
