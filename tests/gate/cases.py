# SPDX-License-Identifier: BSD-3-Clause
"""What there is to run: the table `cases` beside this file, held against what ctest and the scenario folders know."""
import dataclasses
import json
import os
import re
import shlex
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
SCENARIOS = os.path.join(REPO, "tests", "vm", "scenarios")

HOST, VM = "host", "vm"		# the two queues: each is served in order, both at once


@dataclasses.dataclass
class Case:
    name: str
    argv: list
    usual: float = 10.0		# seconds on a quiet machine with two cores
    queue: str = HOST
    places: int = 1		# of its queue
    core: bool = True		# runs on the slowest machine as well
    needs: tuple = ()		# cases that must have passed
    env: dict = dataclasses.field(default_factory=dict)
    cwd: str = REPO
    watch: str = ""		# a folder whose growth is progress, besides the case's log
    guard: float = 120.0	# seconds without any progress that are a hang, before the machine's slowness
    series: str = ""		# cases of one series share a boot of the lab
    parts: list = dataclasses.field(default_factory=list)	# the cases that this one runs; each leaves "result" and "report" in watch


class Unknown(Exception):
    """The table and the tree disagree."""


def table(path=os.path.join(HERE, "cases")):
    """{name: (usual seconds, core)} in order of value."""
    rows = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                rows[words[0]] = float(words[1]), "core" in words[2:]
    return rows


def scenario_conf(name):
    """The settings of a scenario that are plain assignments."""
    path, settings = os.path.join(SCENARIOS, name, "scenario.conf"), {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            # What is in quotes may go on over lines.
            for key, value in re.findall(r"""^(\w+)=((?:'[^']*'|"[^"]*"|[^'"#\n])*)""", f.read(), re.M):
                settings[key] = " ".join(shlex.split(value))
    return settings


def scenarios(kernels):
    """[(scenario, kernel, does it gate there)] of all pairs; GATE and LONG name the kernels, by default all gate."""
    pairs = []
    for name in sorted(os.listdir(SCENARIOS)):
        if name.startswith("selftest"):
            continue
        conf = scenario_conf(name)
        gate = conf.get("GATE", "" if "LONG" in conf else " ".join(kernels)).split()
        long = conf.get("LONG", "").split()
        for kernel in gate + long:
            if kernel not in kernels:
                raise Unknown(f"tests/vm/scenarios/{name}/scenario.conf: kernel '{kernel}' is not one of {' '.join(kernels)}")
        pairs += [(name, kernel, kernel in gate) for kernel in kernels if kernel in gate + long]
    return pairs


def lab_places(scenario):
    """One virtual machine leaves room for another; a server with clients does not."""
    return 2 if os.path.exists(os.path.join(SCENARIOS, scenario, "client")) else 1


def host_tests(build):
    """The tests that ctest knows, as cases; it turns 77 into success, so they are run without it."""
    done = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], stdout=subprocess.PIPE, check=True)
    cases = []
    for test in json.loads(done.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test["properties"]}
        env = dict(setting.split("=", 1) for setting in properties.get("ENVIRONMENT", []))
        cases.append(Case(test["name"], test["command"], env=env, cwd=properties.get("WORKING_DIRECTORY", build)))
    return cases


def in_order(cases, rows):
    """The cases in the table's order, with its times. Each gating case has a row and each row a case."""
    known = {case.name: case for case in cases}
    lost = sorted(set(rows) - set(known))
    new = sorted(set(known) - set(rows))
    if lost or new:
        raise Unknown("tests/gate/cases and the tests differ:" + "".join(f" no test '{n}'" for n in lost) +
                      "".join(f" no row for '{n}'" for n in new))
    for name, (usual, core) in rows.items():
        known[name].usual, known[name].core = usual, core
    return [known[name] for name in rows]
