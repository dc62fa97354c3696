#!/usr/bin/env python3
"""A second judge of the vectors, from the specification alone: payloads, names, narrowing, ledger proofs.

Needs Python 3.9 and nothing else. `check.py [FOLDER]` prints every disagreement and a last line of counts.
"""

import base64
import hashlib
import json
import pathlib
import sys

from payload import NAMES, Refused, decode, require, tables

# --- narrowing -----------------------------------------------------------------------------------


def closed(text):
    return text if text == "/" else text + "/"


def pattern_within(parent, child):
    (wide_scheme, _, wide), (scheme, _, narrow) = parent.partition(":/"), child.partition(":/")
    wide, narrow = wide.split("/"), narrow.split("/")
    wide_open, narrow_open = wide[-1] == "**", narrow[-1] == "**"
    wide, narrow = wide[: len(wide) - wide_open], narrow[: len(narrow) - narrow_open]
    if wide_open:
        deep = len(narrow) >= len(wide) if narrow_open else len(narrow) > len(wide)
    else:
        deep = not narrow_open and len(narrow) == len(wide)
    return wide_scheme == scheme and deep and all(a in ("*", b) for a, b in zip(wide, narrow))


def host_within(parent, child):
    if not parent.startswith("*"):
        return parent == child
    name = child[1:] if child.startswith("*") else child
    return name.endswith(parent[1:]) and (child.startswith("*") or len(name) > len(parent) - 1)


def rule_within(parent, child):
    def both(name):
        found = parent[name], child[name]
        return None if None in found or [] in found else found

    if pair := both("text_in") or both("int_in"):
        return set(pair[1]) <= set(pair[0])
    if pair := both("int_range"):
        return pair[0]["min"] <= pair[1]["min"] and pair[1]["max"] <= pair[0]["max"]
    if parent["int_range"] and child["int_in"]:
        low, high = parent["int_range"]["min"], parent["int_range"]["max"]
        return all(low <= number <= high for number in child["int_in"])
    if parent["int_in"] and child["int_range"]:
        low, high = child["int_range"]["min"], child["int_range"]["max"]
        listed = [number for number in parent["int_in"] if low <= number <= high]
        return len(listed) == high - low + 1
    if pair := both("path_under"):
        return closed(pair[1]).startswith(closed(pair[0]))
    if pair := both("ip_in"):
        wide, narrow = pair
        shift = 8 * len(wide["base"]) - wide["length"]
        bases = [int.from_bytes(block["base"], "big") >> shift for block in pair]
        same = len(wide["base"]) == len(narrow["base"])
        return same and narrow["length"] >= wide["length"] and bases[0] == bases[1]
    if pair := both("url_under"):
        wide, narrow = pair
        same = wide["scheme"] == narrow["scheme"] and wide["port"] == narrow["port"]
        beneath = closed(narrow["path"]).startswith(closed(wide["path"]))
        return same and beneath and host_within(wide["host"], narrow["host"])
    return False


def capability_within(parent, child):
    limits = {limit["argument"]: limit for limit in child["constraints"]}
    stricter = (
        limit["argument"] in limits and rule_within(limit, limits[limit["argument"]])
        for limit in parent["constraints"]
    )
    actions = set(child["actions"]) <= set(parent["actions"])
    return actions and pattern_within(parent["resource"], child["resource"]) and all(stricter)


def budget_within(parent, child):
    wide, narrow = parent["window"], child["window"]
    window = wide is None or (
        narrow is not None and narrow["length"] == wide["length"] and narrow["ceiling"] <= wide["ceiling"]
    )
    lower = all(child[name] <= parent[name] for name in ("ceiling", "per_call"))
    return window and lower and child["unit"] == parent["unit"]


def narrow(parent, child):
    wide = parent["capabilities"]
    within = (
        all(any(capability_within(one, cap) for one in wide) for cap in child["capabilities"])
        and set(child["audiences"]) <= set(parent["audiences"])
        and parent["not_before"] <= child["not_before"]
        and child["not_after"] <= parent["not_after"]
        and budget_within(parent["budget"], child["budget"])
        and child["delegations_left"] < parent["delegations_left"]
    )
    require(within, "RIGHTS_WIDENED")


# --- ledger proofs -------------------------------------------------------------------------------


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of(proof, leaf):
    """RFC 6962's recursion, downwards: the root of `size` leaves with `leaf` at `index`."""

    def climb(index, size, rest):
        if size == 1:
            require(not rest, "BUNDLE_INVALID")
            return leaf
        require(rest, "BUNDLE_INVALID")
        split = 1 << (size - 1).bit_length() - 1
        if index < split:
            return sha256(b"\x01", climb(index, split, rest[:-1]), rest[-1])
        return sha256(b"\x01", rest[-1], climb(index - split, size - split, rest[:-1]))

    return climb(proof["index"], proof["size"], proof["path"])


def roots_of(proof, old_root):
    """The old and the new root, by the same recursion (RFC 6962, 2.1.2)."""

    def climb(old, new, rest, whole):
        if old == new:
            require(len(rest) == (0 if whole else 1), "LOG_INCONSISTENT")
            node = old_root if whole else rest[0]
            return node, node
        require(rest, "LOG_INCONSISTENT")
        split, last = 1 << (new - 1).bit_length() - 1, rest[-1]
        if old <= split:
            before, after = climb(old, split, rest[:-1], whole)
            return before, sha256(b"\x01", after, last)
        before, after = climb(old - split, new - split, rest[:-1], False)
        return sha256(b"\x01", last, before), sha256(b"\x01", last, after)

    return climb(proof["old"], proof["new"], proof["path"], True)


def consistent(proof, old_root, new_root):
    old, new, wrong = proof["old"], proof["new"], "LOG_INCONSISTENT"
    require(old <= new, wrong)
    if old in (0, new):
        require(not proof["path"], wrong)
        require(old_root == (sha256() if old == 0 else new_root), wrong)
        return require(new > 0 or new_root == sha256(), wrong)
    require(roots_of(proof, old_root) == (old_root, new_root), wrong)


# --- the vectors ---------------------------------------------------------------------------------


def judge(grammar, vector):
    op, given = vector["op"], vector["input"]

    def payload(message, name):
        data = base64.b64decode(given[name], validate=True)
        require(len(data) <= 65_535)
        return decode(grammar, message, data)

    if op == "decode_payload":
        payload(given["type"], "payload_b64")
    elif op == "parse_name":
        try:
            NAMES[given["kind"]](given["text"])
        except Refused:
            raise Refused("NAME_NOT_NORMAL") from None
    elif op == "narrow":
        narrow(payload("Rights", "parent_b64"), payload("Rights", "child_b64"))
    elif op == "verify_inclusion":
        proof = payload("InclusionProof", "proof_b64")
        require(proof["index"] < proof["size"], "BUNDLE_INVALID")
        leaf = sha256(b"\x00", base64.b64decode(given["entry_b64"], validate=True))
        require(root_of(proof, leaf).hex() == given["root"], "BUNDLE_INVALID")
    elif op == "verify_consistency":
        roots = [bytes.fromhex(given[name]) for name in ("old_root", "new_root")]
        consistent(payload("ConsistencyProof", "proof_b64"), *roots)
    else:
        return False
    return True


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    grammar = tables((folder / "payloads.txt").read_text())
    judged, left, wrong = 0, 0, 0
    for entry in json.loads((folder / "MANIFEST.json").read_text())["vectors"]:
        text = (folder / entry["file"]).read_bytes()
        vector, got = json.loads(text), None
        try:
            if not judge(grammar, vector):
                left += 1
                continue
        except Refused as refused:
            got = str(refused)
        judged += 1
        if got != vector["expect"].get("reason") or sha256(text).hex() != entry["sha256"]:
            wrong += 1
            print(f"{vector['id']}: {vector['expect']}, got {got or 'accept'}")
    print(f"{judged} judged, {left} need Ed25519, {wrong} disagree")
    sys.exit(1 if wrong or not judged else 0)


if __name__ == "__main__":
    main()
