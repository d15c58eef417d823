import json

from telemetry.profiling import speedscope


def test_samples_refer_to_frames_and_have_the_seconds_that_they_stand_for():
    first = {("main (a.py:1)", "work (b.py:20)"): 50, ("main (a.py:1)",): 25}

    document = json.loads(
        speedscope.render([("worker 0", first), ("worker 1", {("main (a.py:1)",): 100})], "title", 100)
    )

    frames = document["shared"]["frames"]
    one, two = document["profiles"]
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert document["name"] == "title"
    assert frames == [{"name": "main", "file": "a.py", "line": 1}, {"name": "work", "file": "b.py", "line": 20}]
    assert (one["name"], one["samples"], one["weights"], one["endValue"]) == (
        "worker 0",
        [[0], [0, 1]],
        [0.25, 0.5],
        0.75,
    )
    assert (two["name"], two["samples"], two["weights"], two["unit"]) == ("worker 1", [[0]], [1.0], "seconds")


def test_a_frame_without_a_file_has_a_name_only():
    document = json.loads(speedscope.render([("all", {("worker 0", "<x>"): 1})], "t", 20))

    assert document["shared"]["frames"] == [{"name": "worker 0"}, {"name": "<x>"}]
