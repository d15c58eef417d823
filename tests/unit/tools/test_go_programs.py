import pytest

from tools import go_programs


@pytest.mark.parametrize(("version", "module"), [("3.16.0", "v0.316.0"), ("3.5.2", "v0.305.2")])
def test_the_module_of_a_version_of_prometheus_has_its_own_numbering(version, module):
    assert go_programs.prometheus_module(version) == f"github.com/prometheus/prometheus@{module}"


@pytest.mark.parametrize(("version", "module"), [("2.13.0", "v1.76.0"), ("2.0.1", "v1.63.1")])
def test_the_module_of_a_version_of_jaeger_has_the_number_of_jaeger_1(version, module):
    assert go_programs.jaeger_module(version) == f"github.com/jaegertracing/jaeger@{module}"


def test_another_version_or_another_source_is_another_program():
    programs = {
        go_programs.collector(),
        go_programs.compose_reader(),
        go_programs.dashboard_checker(),
        go_programs.prometheus(),
        go_programs.promtool(),
        go_programs.kustomize(),
        go_programs.kube_score(),
        go_programs.kube_apiserver(),
        go_programs.kubectl(),
        go_programs.alertmanager(),
        go_programs.amtool(),
        go_programs.compose(),
        go_programs.victorialogs(),
        go_programs.jaeger(),
    }

    assert len(programs) == 14
    assert go_programs.prometheus().name == f"prometheus-{go_programs.prometheus_version()}"
    assert (go_programs.kustomize().name, go_programs.kube_score().name) == ("kustomize-5.8.2", "kube-score-1.20.0")
    assert go_programs.victorialogs().name == f"victorialogs-{go_programs.image_version('victorialogs')}"


def test_the_version_of_an_image_has_no_letter(tmp_path, monkeypatch):
    compose = tmp_path / "docker-compose.yml"
    compose.write_text("services: {one: {image: a/b:v1.2.3}, two: {image: 'localhost:5000/c:4.5.6'}}")
    monkeypatch.setattr(go_programs, "COMPOSE", compose)

    assert [go_programs.image_version(name) for name in ("one", "two")] == ["1.2.3", "4.5.6"]
