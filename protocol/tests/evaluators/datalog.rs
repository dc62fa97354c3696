//! The second opinion, taken from biscuit-auth alone: it verifies the signatures of the bytes and
//! evaluates their checks over facts that are written down again from the specification's table
//! (CHN-103). It knows nothing of a walk, so it has an opinion of chains that the core refuses, too.

use std::{net::IpAddr, time::Duration};

use biscuit_auth::{
    Algorithm, AuthorizerBuilder, AuthorizerLimits, Biscuit, PublicKey,
    builder::{Fact, Term, bytes, fact, int, string},
};
use countersign_protocol::{
    capability::{Request, Value},
    digest::ChainId,
    token::UnverifiedToken,
};

use crate::cast;

pub(crate) struct Datalog {
    biscuit: Biscuit,
    chain_id: ChainId,
}

impl Datalog {
    pub(crate) fn of(token: &UnverifiedToken, chain_id: ChainId) -> Self {
        let root = PublicKey::from_bytes(cast::public("capability").as_bytes(), Algorithm::Ed25519).unwrap();
        Self { biscuit: Biscuit::from(token.as_bytes(), root).unwrap(), chain_id }
    }

    pub(crate) fn allows(&self, request: &Request, now: u64) -> bool {
        let builder = AuthorizerBuilder::new().policy("allow if true").unwrap();
        let facts = facts(self.chain_id, request, now);
        let builder = facts.into_iter().try_fold(builder, AuthorizerBuilder::fact).unwrap();
        let limits = AuthorizerLimits { max_time: Duration::from_secs(60), ..Default::default() };
        builder.build(&self.biscuit).unwrap().authorize_with_limits(limits).is_ok()
    }
}

fn facts(chain_id: ChainId, request: &Request, now: u64) -> Vec<Fact> {
    let one = |name: &str, terms: Vec<Term>| fact(name, &terms);
    let (scheme, path) = request.resource.as_str().split_once(":/").unwrap();
    let segments: Vec<&str> = path.split('/').collect();
    let mut facts = vec![
        one("countersign_verified", vec![bytes(chain_id.as_bytes())]),
        one("time_ms", vec![int(now as i64)]),
        one("audience", vec![string(request.callee.as_str())]),
        one("action", vec![string(request.action.as_str())]),
        one("scheme", vec![string(scheme)]),
        one("depth", vec![int(segments.len() as i64)]),
    ];
    for (position, segment) in segments.iter().enumerate() {
        facts.push(one("segment", vec![int(position as i64), string(segment)]));
    }
    for argument in request.arguments.iter() {
        let name = string(argument.name.as_str());
        facts.push(match &argument.value {
            Value::Text(text) => one("text", vec![name, string(text.as_str())]),
            Value::Int(number) => one("int", vec![name, int(*number)]),
            Value::Path(path) => one("path", vec![name, string(&closed(path.as_str()))]),
            Value::Ip(ip) => one("ip", vec![name, string(&bits(ip.get()))]),
            Value::Url(url) => {
                let url = url::Url::parse(url.as_str()).unwrap();
                let (host, port) = (url.host_str().unwrap(), url.port_or_known_default().unwrap());
                let path = closed(url.path().trim_end_matches('/'));
                let (scheme, host, port) = (string(url.scheme()), string(host), int(i64::from(port)));
                one("url", vec![name, scheme, host, port, string(&path)])
            }
        });
    }
    facts
}

fn closed(path: &str) -> String {
    if path == "/" { path.to_owned() } else { format!("{path}/") }
}

fn bits(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("4:{:032b}", u32::from(ip)),
        IpAddr::V6(ip) => format!("6:{:0128b}", u128::from(ip)),
    }
}
