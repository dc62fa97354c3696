//! Attack line 27: whom a broker connects to is no peer's to choose, since it connects to nobody but the collector of
//! spans that its operator may name.

use std::path::Path;

use crate::trace::texts;

/// What opens a connection, in the standard library, tokio, tonic and hyper.
const OPENS: [&str; 7] =
    ["TcpStream::connect", "UnixStream", "UdpSocket", "Endpoint::", "TcpSocket", "_client::", EXPORTS];

/// The library that sends spans, to the address that it is given.
const EXPORTS: &str = "SpanExporter::";

/// The one file that may: it takes the address from the operator's configuration and from nowhere else.
const EXPORTER: &str = "broker/src/traces.rs";

/// The library that counts, which is asked and asks nobody.
const COUNTS: &str = "prometheus_client::";

fn opens(content: &str) -> Vec<&'static str> {
    let content = content.replace(COUNTS, "");
    OPENS.into_iter().filter(|what| content.contains(what)).collect()
}

#[test]
fn the_broker_connects_to_nobody_but_its_operators_collector() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let code =
        ["broker/src", "broker/store/src"].map(|folder| texts(root, &root.join(folder), "rs", true).unwrap());
    let found: Vec<_> = code.iter().flatten().map(|text| (&text.path, opens(&text.content))).collect();
    assert!(found.len() > 50, "it looks at the broker");
    let outgoing: Vec<_> = found.iter().filter(|(_, what)| !what.is_empty()).collect();
    let [(path, what)] = &outgoing[..] else { panic!("{outgoing:?}") };
    assert!(path.ends_with(EXPORTER) && *what == [EXPORTS], "{outgoing:?}");
    // A client's program is known by the same signs.
    let client = texts(root, &root.join("client/src"), "rs", true).unwrap();
    assert!(client.iter().any(|text| !opens(&text.content).is_empty()), "the twin");
}
