import re
from xml.etree import ElementTree as ET

from telemetry.profiling import flamegraph

SVG = "{http://www.w3.org/2000/svg}"


def boxes(drawing):
    """The title, the left edge and the width of each frame."""
    root = ET.fromstring(drawing)  # noqa: S314  # our own
    groups = root.findall(f"{SVG}g")
    return {
        group.findtext(f"{SVG}title"): (float(rect.get("x")), float(rect.get("width")), int(rect.get("y")))
        for group in groups
        if (rect := group.find(f"{SVG}rect")) is not None
    }


def test_widths_are_shares_and_each_frame_lies_below_its_caller():
    drawn = boxes(flamegraph.draw({("main", "hot"): 3, ("main", "cold"): 1}, "a title", "a subtitle"))

    whole, hot, cold = (
        drawn[f"{each}"] for each in ("all: 4 samples, 100.0%", "hot: 3 samples, 75.0%", "cold: 1 samples, 25.0%")
    )
    assert hot[1] == 3 * cold[1] == whole[1] * 0.75
    assert hot[0] == whole[0]
    assert cold[0] == hot[0] + hot[1]
    assert whole[2] < drawn["main: 4 samples, 100.0%"][2] < hot[2] == cold[2]


def test_names_are_text_whatever_they_contain():
    drawing = flamegraph.draw({("<module> (a&b.py:1)", '"></g><script>'): 1}, "<title> & more", "]]>")

    assert "<module> (a&b.py:1): 1 samples, 100.0%" in boxes(drawing)
    assert "<title>&lt;title&gt; &amp; more</title>" in drawing
    assert "<script" not in drawing


def test_it_has_no_scripts_no_styles_and_no_links():
    drawing = flamegraph.draw({("main (service/a.py:1)",): 1}, "t", "s")

    assert re.search(r"script|style|href|onload|url\(", drawing) is None


def test_frames_of_the_service_have_another_colour_than_libraries():
    drawing = flamegraph.draw({("work (service/a.py:1)",): 1, ("work (sqlalchemy/a.py:1)",): 1}, "t", "s")

    own, other = (re.search(rf"<title>work \({file}.*?fill=\"(#\w+)", drawing)[1] for file in ("service", "sqlalchemy"))
    assert own != other


def test_frames_that_are_too_narrow_to_be_seen_are_left_out():
    drawn = boxes(flamegraph.draw({("hot",): 1_000_000, ("cold",): 1}, "t", "s"))

    assert not any(title.startswith("cold") for title in drawn)


def test_a_deep_recursion_is_cut():
    drawn = boxes(flamegraph.draw({tuple(f"frame {number}" for number in range(5000)): 1}, "t", "s"))

    assert len(drawn) == flamegraph.MAX_DEPTH


def test_nothing_sampled_is_an_empty_drawing():
    assert list(boxes(flamegraph.draw({}, "t", "s"))) == ["all: 0 samples, 0.0%"]
