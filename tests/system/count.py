"""Prints how many cases passed, failed and were skipped, from pytest's XML file."""
import sys
import xml.etree.ElementTree


def main():
    root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
    total = failed = skipped = 0
    for suite in root.iter("testsuite"):
        total += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    print(total - failed - skipped, failed, skipped)


main()
