"""Names and payloads in their one form: spec/conventions.md, spec/identity.md, spec/token.md."""

import ipaddress
import re

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
# The canonical y of the points whose order divides eight, in hexadecimal.
SMALL = {
    "00" * 32,
    "01" + "00" * 31,
    "ec" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}
INTEGERS = {"u32": 2**32, "u64": 2**64, "i64": 2**64, "amount": 2**63, "leaf": 2**63, "size": 2**63}


class Refused(Exception):
    """Why not: the reason of spec/errors.toml."""


def require(condition, reason="PAYLOAD_MALFORMED"):
    if not condition:
        raise Refused(reason)


# --- names ---------------------------------------------------------------------------------------

PLAIN = "A-Za-z0-9\\-._~!$&'()+,;=:@"


def segment(text):
    require(text not in ("", ".", ".."))
    require(re.fullmatch(f"(?:[{PLAIN}]|%[0-9A-F]{{2}})+", text))
    for code in re.findall("%(..)", text):
        letter = chr(int(code, 16))
        require(not re.fullmatch(f"[{PLAIN}/\\\\]", letter))
    decoded = re.sub("%(..)", lambda found: chr(int(found[1], 16)), text).encode("latin-1")
    try:
        decoded = decoded.decode()
    except UnicodeDecodeError:
        raise Refused("PAYLOAD_MALFORMED") from None
    require(not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in decoded))


def resource(text, wild=False):
    require(1 <= len(text) <= 1024)
    scheme, colon, path = text.partition(":/")
    require(colon and re.fullmatch("[a-z][a-z0-9+.-]{0,63}", scheme))
    segments = path.split("/")
    require(len(segments) <= 32)
    for position, part in enumerate(segments):
        if not (wild and (part == "*" or (part == "**" and position == len(segments) - 1))):
            segment(part)


def path(text):
    require(text.startswith("/") and len(text) <= 1024)
    if text != "/":
        require(text.count("/") <= 32)
        for part in text[1:].split("/"):
            segment(part)


def host_name(text):
    """A host as the URL standard serializes it: a name, an IPv4 or an IPv6 address."""
    if text.startswith("["):
        try:
            address = ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            raise Refused("PAYLOAD_MALFORMED") from None
        return require(text == f"[{address}]" and address.ipv4_mapped is None)
    require(re.fullmatch("[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*", text))
    if re.fullmatch("[0-9]+|0x[0-9a-f]*", text.split(".")[-1]):
        require(re.fullmatch("(?:(?:0|[1-9][0-9]{0,2})\\.){3}(?:0|[1-9][0-9]{0,2})", text))
        require(all(int(part) < 256 for part in text.split(".")))


def host(text):
    wild = text.startswith("*.")
    name = text[2:] if wild else text
    host_name(name)
    require(not wild or ("." in name and not re.fullmatch("[0-9.]+|\\[.*", name)))


def url(text):
    require(len(text) <= 1024 and "@" not in text)
    found = re.fullmatch("(https?)://(\\[[^/]*\\]|[^/:]+)(?::([1-9][0-9]*))?(/[^?#]*)(\\?[!$-&(-;=?-~]*)?", text)
    require(found)
    scheme, name, port, place, _query = found.groups()
    host_name(name)
    require(port is None or (int(port) < 65536 and int(port) != {"http": 80, "https": 443}[scheme]))
    path(place[:-1] if place.endswith("/") and place not in ("/", "//") else place)


def domain(text):
    label = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    require(len(text) <= 128 and re.fullmatch(f"{label}(?:\\.{label})*", text))


def principal(text):
    require(len(text) <= 256)
    found = re.fullmatch("spiffe://([^/]*)/(?:agent|human|service)((?:/[A-Za-z0-9._-]+)+)", text)
    require(found)
    domain(found[1])
    require(not {".", "..", "i"} & set(found[2].split("/")))


def uuid(text):
    require(re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text))


def instance(text):
    name, found, number = text.rpartition("/i/")
    require(found)
    principal(name)
    uuid(number)


def word(text):
    require(re.fullmatch("[a-z][a-z0-9_.:-]{0,63}", text))


def origin(text):
    require(re.fullmatch("[!-*,-~]{1,255}", text))


NAMES = {
    "resource": resource,
    "pattern": lambda text: resource(text, wild=True),
    "path": path,
    "url": url,
    "host": host,
    "domain": domain,
    "principal": principal,
    "instance": instance,
    "word": word,
    "uuid": uuid,
    "origin": origin,
    "text": lambda text: require(1 <= len(text.encode()) <= 1024),
}

# --- payloads ------------------------------------------------------------------------------------


def tables(text):
    """The field tables of payloads.txt: message -> [(number, name, type, least, most, codes)]."""
    found, fields = {}, None
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if not line.startswith("  "):
            fields = found[line] = []
        elif not line.startswith("  if "):
            number, name, kind, *codes = line.split()
            kind, least, most, ordered = re.fullmatch(
                "([^\\[{?]+)(?:[\\[{](?:(\\d+)\\.\\.(\\d+))?([\\]}])|\\?)?", kind
            ).groups()
            optional = line.split()[2].endswith("?")
            bounds = (int(least or 0), int(most or 10**9), ordered == "}") if ordered else None
            codes = {int(code.split("=")[0]) for code in codes}
            fields.append((int(number), name, kind, optional, bounds, codes))
    return found


def varint(data, at):
    value = 0
    for position in range(10):
        require(at + position < len(data))
        byte = data[at + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            require((byte or not position) and value < 2**64)
            return value, at + position + 1
    raise Refused("PAYLOAD_MALFORMED")


def signed(value):
    return value >> 1 ^ -(value & 1)


def decode(grammar, message, data):
    table = {field[0]: field for field in grammar[message]}
    found, at, last = {}, 0, 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        require(number in table and wire in (0, 2))
        _, name, kind, _, bounds, _ = table[number]
        require(number > last or (number == last and bounds and kind != "i64-packed"))
        integer = kind in INTEGERS or kind in ("time", "length", "code")
        require(wire == (0 if integer else 2))
        value, at = varint(data, at)
        if wire == 2:
            require(at + value <= len(data))
            value, at = data[at : at + value], at + value
        found.setdefault(name, []).append(value)
        last = number
    result = {name: field(grammar, table[number], found.get(name, [])) for number, name, *_ in grammar[message]}
    fits(message, result)
    return result


def field(grammar, spec, values):
    _, _, kind, optional, bounds, codes = spec
    if kind == "i64-packed":
        return integers(values[0]) if values else []
    if bounds:
        least, most, ordered = bounds
        require(least <= len(values) <= most)
        decoded = [element(grammar, kind, value) for value in values]
        # The one set of messages, of arguments, ascends by their names.
        keys = [value["name"] if ordered and isinstance(value, dict) else value for value in decoded]
        require(not ordered or all(a < b for a, b in zip(keys, keys[1:])))
        return decoded
    if kind in INTEGERS:
        require(not values or 0 < values[0] < INTEGERS[kind])
        value = values[0] if values else 0
        return signed(value) if kind == "i64" else value
    if not values:
        require(optional)
        return None
    value = values[0]
    if kind == "time":
        require(0 < value < 253_402_300_800_000)
    elif kind == "length":
        require(value > 0)
    elif kind == "code":
        require(value in codes)
    else:
        return element(grammar, kind, value)
    return value


def integers(data):
    values, at = [], 0
    require(data)
    while at < len(data):
        value, at = varint(data, at)
        values.append(signed(value))
    require(len(values) <= 64 and all(a < b for a, b in zip(values, values[1:])))
    return values


def element(grammar, kind, data):
    lengths = {"digest": (32,), "key": (32,), "signature": (64,), "nonce": (16,), "uuid": (16,), "ip": (4, 16)}
    if kind in grammar:
        return decode(grammar, kind, data)
    require(len(data) in lengths.get(kind, (len(data),)))
    if kind == "uuid":
        require(data[6] >> 4 == 7 and data[8] >> 6 == 2)
    elif kind == "key":
        key(data)
    elif kind == "ip":
        require(len(data) == 4 or ipaddress.IPv6Address(data).ipv4_mapped is None)
    elif kind == "bytes":
        require(data)
    elif kind in NAMES:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Refused("PAYLOAD_MALFORMED") from None
        NAMES[kind](text)
        return text
    return data


def key(data):
    y = int.from_bytes(data, "little") & (2**255 - 1)
    require(y < P and y.to_bytes(32, "little").hex() not in SMALL)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    require(pow(square, (P - 1) // 2, P) == 1)


def each_leaf_has_one_key(keys):
    """IDN-109. A key is for the leaves from its first to before its end; zero means that it has none."""
    require(len({key["key"] for key in keys}) == len(keys))
    order = [(key["purpose"], key["id"]) for key in keys]
    require(all(a < b for a, b in zip(order, order[1:])))
    for purpose in (1, 2, 3):
        spans = sorted((key["first_leaf"], key["end_leaf"] or 2**63) for key in keys if key["purpose"] == purpose)
        require(all(first < end for first, end in spans))
        require(all(a[1] <= b[0] for a, b in zip(spans, spans[1:])))
        require(spans and spans[-1][1] == 2**63)


def fits(message, value):
    """What the fields of a message satisfy together."""
    one_of = {
        "Constraint": ("text_in", "int_in", "int_range", "path_under", "ip_in", "url_under"),
        "Argument": ("text", "int", "path", "ip", "url"),
        "RevokeRequest": ("chain", "instance"),
    }
    if message in one_of:
        require(sum(value[name] not in (None, []) for name in one_of[message]) == 1)
    ascending = {"Extensions": ("list", "id"), "Capability": ("constraints", "argument"), "Arguments": ("list", "name")}
    if message in ascending:
        name, by = ascending[message]
        keys = [entry[by] for entry in value[name]]
        require(all(a < b for a, b in zip(keys, keys[1:])))
    if message == "KeySet":
        each_leaf_has_one_key(value["keys"])
    elif message == "Extension":
        require(len(value["bytes"]) <= 4096)
    elif message == "Rights":
        require(value["not_before"] < value["not_after"] and value["delegations_left"] <= 16)
    elif message == "Budget":
        window = value["window"]
        require(0 < value["per_call"] <= value["ceiling"])
        require(window is None or value["per_call"] <= window["ceiling"])
    elif message == "SessionOpening":
        require(1 <= value["sign_every"] <= 256 and 100 <= value["sign_within"] <= 60_000)
    elif message == "ChangeRequest":
        sides = {1: (1, 3), 2: (1, 3), 3: (2,), 4: (1, 2)}[value["kind"]]
        shown = (value["invocation"] is not None) + (value["evidence"] is not None)
        require(value["side"] in sides and shown == (value["kind"] == 4))
    elif message == "Window":
        require(value["ceiling"] > 0)
    elif message == "IntRange":
        require(value["min"] <= value["max"])
    elif message == "UrlPrefix":
        require(value["scheme"] in ("http", "https") and 0 < value["port"] < 65536)
    elif message == "Cidr":
        host_bits = 8 * len(value["base"]) - value["length"]
        require(host_bits >= 0 and int.from_bytes(value["base"], "big") % 2**host_bits == 0)
