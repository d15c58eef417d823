import pytest

from tools import go_programs


@pytest.mark.parametrize(("version", "module"), [("3.16.0", "v0.316.0"), ("3.5.2", "v0.305.2")])
def test_the_module_of_a_version_of_prometheus_has_its_own_numbering(version, module):
    assert go_programs.prometheus_module(version) == f"github.com/prometheus/prometheus@{module}"


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
    }

    assert len(programs) == 12
    assert go_programs.prometheus().name == f"prometheus-{go_programs.prometheus_version()}"
    assert (go_programs.kustomize().name, go_programs.kube_score().name) == ("kustomize-5.8.2", "kube-score-1.20.0")
