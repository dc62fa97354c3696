//! Requests that some link does not allow. Each is signed by the holder, as it is.

use countersign_forge::biscuit::Container;
use countersign_protocol::{
    capability::{IntSet, IpName, Request, Rule, UrlPrefix, Value as Argued},
    payload::{Ascending, Bounded},
};

use super::{Case, Draft, OP, Shelf, cast, refuse, request};

pub(super) fn fill(shelf: &mut Shelf) {
    links(shelf);
    validity(shelf);
    arguments(shelf);
}

fn max_bytes(number: i64) -> Vec<(&'static str, Argued)> {
    vec![("max_bytes", Argued::Int(number))]
}

const FILE: &str = "file:/data/eu/q3.csv";

fn links(shelf: &mut Shelf) {
    let draft = shelf.accept(OP, "proof.at-the-limit").rule("CHN-008");
    let at_limit = request("read", FILE, max_bytes(1024));
    Case { request: at_limit, ..Case::new() }.give(draft.because("As many bytes as the leaf allows."));
    let of = |action, resource| request(action, resource, max_bytes(1000));
    for (id, path, why, request) in [
        ("action-of-the-grant", "action", "The grant allows it, the hops do not.", of("list", FILE)),
        ("action-of-nobody", "action", "No link allows it.", of("write", FILE)),
        (
            "resource-of-the-first-hop",
            "resource",
            "Only links above allow it.",
            of("read", "file:/data/us/x"),
        ),
        ("resource-of-nobody", "resource", "No link allows it.", of("read", "file:/etc/passwd")),
        ("resource-in-capitals", "resource", "Case counts.", of("read", "file:/Data/eu/q3.csv")),
        ("folder-itself", "resource", "A folder is not beneath itself.", of("read", "file:/data/eu")),
        ("sibling-folder", "resource", "Its name begins the same.", of("read", "file:/data/europe/q3.csv")),
    ] {
        refuse_request(shelf, id, path, why, request);
    }
    let with = |arguments| request("read", FILE, arguments);
    let text = Argued::Text("1000".parse().unwrap());
    for (id, path, why, request) in [
        (
            "number-of-the-first-hop",
            "arguments/0/int/value",
            "Only links above allow it.",
            with(max_bytes(1025)),
        ),
        ("number-below", "arguments/0/int/value", "Zero is below the range.", with(max_bytes(0))),
        ("argument-missing", "arguments/0", "An argument with a limit must be stated.", with(vec![])),
        ("argument-of-another-type", "arguments/0", "A number as text.", with(vec![("max_bytes", text)])),
        (
            "argument-of-another-name",
            "arguments/0/name",
            "Not max_bytes.",
            with(vec![("maxbytes", Argued::Int(1000))]),
        ),
    ] {
        refuse_request(shelf, id, path, why, request);
    }
    callees(shelf);
}

fn refuse_request(shelf: &mut Shelf, id: &str, path: &str, why: &str, request: Request) {
    let draft = refuse(shelf, id, "CHN-008", "CHECK_FAILED", why).flag("PrivilegeEscalation").resigned();
    Case { request, ..Case::new() }.give(draft.at(&format!("/request/{path}")));
}

fn callees(shelf: &mut Shelf) {
    for (id, callee, why) in [
        ("callee-of-the-grant", cast::principal("mail"), "The grant names it, the hops do not."),
        ("callee-of-nobody", cast::principal("researcher"), "No link names it."),
    ] {
        let request = Request { callee, ..request("read", FILE, max_bytes(1000)) };
        let draft = refuse(shelf, id, "CHN-007", "AUDIENCE_MISMATCH", why).resigned();
        let draft = draft.flag("PrivilegeEscalation").at("/request/callee");
        Case { request, ..Case::new() }.give(draft);
    }
}

/// Proofs that are fresh at a time at which a link is not valid.
fn validity(shelf: &mut Shelf) {
    let (begin, end) = (cast::NOW - 8000, cast::NOW + 3_598_000);
    let wide = |draft: Draft<'_>, now: u64| {
        Case { now, ..Case::new() }.give_changed(draft, |proof| {
            (proof.issued, proof.expires) = (cast::at(begin), cast::at(begin + 60_000));
        });
    };
    let draft = shelf.accept(OP, "proof.first-millisecond-of-a-link").rule("CHN-006");
    wide(draft.because("The leaf begins now."), begin);
    let draft = shelf.reject(OP, "proof.before-a-link", "proof.first-millisecond-of-a-link").rule("CHN-006");
    let draft = draft.reason("OUTSIDE_VALIDITY").because("The leaf begins in a millisecond.").at("/time");
    wide(draft.flag("PrivilegeEscalation"), begin - 1);
    let late = |draft: Draft<'_>, now: u64| {
        Case { now, ..Case::new() }.give_changed(draft, |proof| {
            (proof.issued, proof.expires) = (cast::at(end - 30_000), cast::at(end + 30_000));
        });
    };
    let draft = shelf.accept(OP, "proof.last-millisecond-of-a-link").rule("CHN-006");
    late(draft.because("The leaf ends in a millisecond."), end - 1);
    let draft = shelf.reject(OP, "proof.after-a-link", "proof.last-millisecond-of-a-link").rule("CHN-006");
    let draft = draft.reason("OUTSIDE_VALIDITY").because("The leaf ends now.").at("/time");
    late(draft.flag("PrivilegeEscalation"), end);
}

/// A grant with a constraint of every type, used by planner directly.
fn grant() -> Container {
    let texts = Ascending::new(["eu", "us"].map(|text| text.parse().unwrap()).into()).unwrap();
    let url = UrlPrefix {
        scheme: "https".parse().unwrap(),
        host: "*.example.com".parse().unwrap(),
        port: 443,
        path: "/v1".parse().unwrap(),
    };
    let constraints = vec![
        cast::constraint("address", Rule::IpIn("10.1.0.0/16".parse().unwrap())),
        cast::constraint("folder", Rule::PathUnder("/data".parse().unwrap())),
        cast::constraint("level", Rule::IntIn(IntSet::new(vec![-1, 0, 7]).unwrap())),
        cast::constraint("region", Rule::TextIn(texts)),
        cast::constraint("target", Rule::UrlUnder(url)),
    ];
    let mut terms = cast::grant_terms();
    let capability = cast::capability("file:/data/*", &["read"], constraints);
    terms.rights.capabilities = Bounded::new(vec![capability]).unwrap();
    cast::minted(&terms)
}

fn arguments(shelf: &mut Shelf) {
    let ip = |text: &str| Argued::Ip(IpName::new(text.parse().unwrap()).unwrap());
    let path = |text: &str| Argued::Path(text.parse().unwrap());
    let text = |text: &str| Argued::Text(text.parse().unwrap());
    let url = |text: &str| Argued::Url(text.parse().unwrap());
    let good = [
        ("address", ip("10.1.255.255")),
        ("folder", path("/data")),
        ("level", Argued::Int(-1)),
        ("region", text("eu")),
        ("target", url("https://api.example.com/v1/?q=1")),
    ];
    let case = |changed: Option<(usize, Argued)>| {
        let mut arguments = good.to_vec();
        if let Some((position, value)) = changed {
            arguments[position].1 = value;
        }
        let request = request("read", "file:/data/x", arguments);
        Case { token: grant(), holder: "planner", request, ..Case::new() }
    };
    let twin = "proof.arguments";
    let draft =
        shelf.accept(OP, twin).rule("CHN-008").because("Every argument is just within its constraint.");
    case(None).give(draft);
    for (id, position, why, value) in [
        ("address-beside", 0, "A block further on.", ip("10.2.0.0")),
        ("address-of-the-other-family", 0, "The same bits at the beginning, as IPv6.", ip("a01::")),
        ("path-with-the-prefix", 1, "/data is no prefix of /database.", path("/database")),
        ("path-above", 1, "The root.", path("/")),
        ("number-between", 2, "Between two that are listed.", Argued::Int(1)),
        ("text-in-capitals", 3, "Text is compared byte by byte.", text("EU")),
        ("text-with-a-space", 3, "Text is not trimmed.", text("eu ")),
        ("text-as-path", 3, "Another type of argument.", path("/eu")),
        ("url-in-the-clear", 4, "Another scheme.", url("http://api.example.com/v1/")),
        ("url-on-another-port", 4, "Another port.", url("https://api.example.com:8443/v1/")),
        ("url-of-the-domain-itself", 4, "The domain is not beneath itself.", url("https://example.com/v1/")),
        ("url-with-the-suffix", 4, "No label ends there.", url("https://badexample.com/v1/")),
        (
            "url-of-somebody-else",
            4,
            "The suffix is in the middle.",
            url("https://api.example.com.evil.test/v1/"),
        ),
        (
            "url-with-the-domain-in-its-path",
            4,
            "The suffix is in the path.",
            url("https://evil.test/.example.com/v1"),
        ),
        ("url-with-the-path-prefix", 4, "/v1 is no prefix of /v10.", url("https://api.example.com/v10")),
        ("url-with-the-path-in-its-query", 4, "A query is no path.", url("https://api.example.com/?/v1/")),
    ] {
        let draft = shelf.reject(OP, &format!("proof.{id}"), twin).rule("CHN-008").reason("CHECK_FAILED");
        let draft = draft.because(why).flag("PrivilegeEscalation").resigned();
        let draft = draft.at(&format!("/request/arguments/{position}"));
        case(Some((position, value))).give(draft);
    }
}
