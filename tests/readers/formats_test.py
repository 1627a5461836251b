#!/usr/bin/env python3
"""Every report through the schema or the program that others read it with."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import common


def sources(program):
    return [program.checked(), program.measured(), program.hostile()]


def documents(path):
    loaded = json.loads(path.read_text())
    return loaded if isinstance(loaded, list) else [loaded]


def results_fit_their_schema(program):
    import jsonschema

    schema = json.loads(program.run("schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sources(program):
        for document in documents(path):
            validator.validate(document)
        converted = program.run("report", path, "--json")
        assert json.loads(converted) == json.loads(path.read_text()) or "hostile" in path.name


def sarif_is_valid_and_read(program):
    tools = Path(sys.prefix) / "bin"
    for path in sources(program):
        file = program.args.output / (path.stem + ".sarif")
        program.run("report", path, "-f", "sarif", "-o", file)
        subprocess.run([tools / "sarif-kit", "validate", file], check=True, capture_output=True)
        log = json.loads(file.read_text())
        counted = sum(len(d["findings"]) for d in documents(path))
        assert sum(len(run["results"]) for run in log["runs"]) == counted
        table = program.args.output / (path.stem + ".sarif.csv")
        subprocess.run(
            [tools / "sarif", "csv", "--output", table, file], check=True, capture_output=True
        )
        with table.open(newline="") as rows:
            assert len(list(csv.reader(rows))) == counted + 1
        for run in log["runs"]:
            for result in run["results"]:
                place = result["locations"][0]["physicalLocation"]
                assert set(place["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}
                assert "://" not in place["artifactLocation"]["uri"]


def junit_fits_the_schema_and_is_read(program):
    import junitparser
    from lxml import etree

    schema = etree.XMLSchema(etree.parse(program.args.fixtures / "schemas" / "junit-10.xsd"))
    for path in sources(program):
        file = program.args.output / (path.stem + ".junit.xml")
        program.run("report", path, "-f", "junit", "-o", file)
        schema.assertValid(etree.parse(file))
        suites = list(junitparser.JUnitXml.fromfile(str(file)))
        for suite in suites:
            cases = list(suite)
            assert suite.tests == len(cases)
            outcomes = [type(r).__name__ for c in cases for r in c.result]
            assert suite.failures == outcomes.count("Failure")
            assert suite.errors == outcomes.count("Error")
            assert suite.skipped == outcomes.count("Skipped")
            assert len({(c.classname, c.name) for c in cases}) == len(cases)
        failing = {
            f["code"]
            for d in documents(path)
            for f in d["findings"]
            if f["severity"] == "error" and f["status"] == "new" and not f["code"].startswith("NUM")
        }
        read = {
            c.name.split()[0]
            for s in suites
            if s.name.endswith("structure")
            for c in s
            if any(type(r).__name__ == "Failure" for r in c.result)
        }
        assert read == failing, read ^ failing


def code_quality_has_what_gitlab_asks_for(program):
    for path in sources(program):
        issues = json.loads(program.run("report", path, "-f", "codequality"))
        counted = [f for d in documents(path) for f in d["findings"] if f["status"] == "new"]
        assert len(issues) == len(counted)
        for issue in issues:
            assert issue["description"] and issue["check_name"]
            assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
            assert not issue["location"]["path"].startswith("./")
            assert issue["location"]["lines"]["begin"] >= 1


def annotations_are_one_line_each(program):
    for path in sources(program):
        for line in program.run("report", path, "-f", "github").splitlines():
            command, _, rest = line[2:].partition(" ")
            assert line.startswith("::") and command in ("error", "warning", "notice"), line
            properties, _, _ = rest.partition("::")
            keys = [p.partition("=")[0] for p in properties.split(",")]
            assert set(keys) <= {"title", "file", "line", "col", "endColumn"}, keys


def tables_are_read_by_csv(program):
    for path in sources(program)[1:]:
        for table in ("findings", "gates", "layers", "experts", "tokens", "histogram", "headroom"):
            text = program.run("report", path, "-f", "csv", "--table", table)
            rows = list(csv.DictReader(io.StringIO(text), strict=True))
            assert rows or table == "findings", table
            for row in rows:
                assert None not in row and None not in row.values(), row
                for value in row.values():
                    assert value[:1] not in ("=", "+", "@"), value


def json_lines_are_the_findings(program):
    for path in sources(program):
        lines = program.run("report", path, "-f", "jsonl").splitlines()
        counted = [f for d in documents(path) for f in d["findings"]]
        assert [json.loads(line)["code"] for line in lines] == [f["code"] for f in counted]


def model_card_reads_the_metrics_back(program):
    import huggingface_hub

    for path in sources(program)[1:]:
        card = program.args.output / "card.md"
        for before in ("# Model\n", "---\nlicense: mit\nbase_model: a/b\n---\n# Model\n"):
            card.write_text(before)
            program.run("report", path, "--update", card, "--front-matter")
            once = card.read_text()
            program.run("report", path, "--update", card, "--metadata")
            assert card.read_text() == once
            read = huggingface_hub.ModelCard.load(card)
            metrics = {r.metric_type: r.metric_value for r in read.data.eval_results}
            measured = documents(path)[0]["metrics"]
            assert metrics["kl_divergence"] == measured["kl"]["mean"]
            assert metrics["top1_agreement"] == measured["agreement"]["top1"]
            assert read.text.count("<!-- ckpt-check:end -->") == 1
            if "license" in before:
                assert read.data.license == "mit"
            assert once.endswith("<!-- ckpt-check:end -->\n")


def figures_are_xml_without_addresses(program):
    from lxml import etree

    for path in sources(program)[1:]:
        for figure in ("kl-by-token", "layers", "experts", "histogram", "routing", "saliency"):
            text = program.run("report", path, "-f", "svg", "--figure", figure)
            root = etree.fromstring(text.encode())
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            for element in root.iter():
                assert etree.QName(element).localname in (
                    "svg", "title", "style", "rect", "line", "path", "circle", "text", "image",
                ), element.tag  # fmt: skip
                for key, value in element.attrib.items():
                    assert "://" not in value and not key.startswith("on"), (key, value)


if __name__ == "__main__":
    common.main(
        common.arguments(),
        [
            results_fit_their_schema,
            sarif_is_valid_and_read,
            junit_fits_the_schema_and_is_read,
            code_quality_has_what_gitlab_asks_for,
            annotations_are_one_line_each,
            tables_are_read_by_csv,
            json_lines_are_the_findings,
            model_card_reads_the_metrics_back,
            figures_are_xml_without_addresses,
        ],
    )
