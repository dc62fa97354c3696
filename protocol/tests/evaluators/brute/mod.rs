//! The third opinion: slow, obvious, and written from the sentences of `spec/token.md` and
//! `spec/chain.md` over plain texts and numbers. It calls nothing of the core.

mod address;
pub(crate) mod spelling;

pub(crate) use address::block;

use crate::plain::{Capability, Link, Request, Rule, Value};

/// The first rule that says no, in the order that chain.md states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum No {
    /// CHN-006.
    Time,
    /// CHN-007.
    Audience,
    /// CHN-008.
    Capability,
}

/// Each link by itself, and all of them have to allow.
pub(crate) fn decide(links: &[Link], request: &Request, now: u64) -> Result<(), No> {
    links.iter().filter_map(|link| one(link, request, now).err()).min().map_or(Ok(()), Err)
}

/// What is left to say once the arguments are forgotten; and whether no link asked about them.
pub(crate) fn decide_without_arguments(links: &[Link], request: &Request, now: u64) -> Result<bool, No> {
    let free = |link: &Link| {
        let free = |capability: &Capability| covers(capability, request) && capability.constraints.is_empty();
        link.capabilities.iter().any(free)
    };
    // A link without its constraints, so that only what is still known is asked.
    let known = |link: &Link| {
        let mut link = link.clone();
        link.capabilities.iter_mut().for_each(|capability| capability.constraints.clear());
        link
    };
    let links_known: Vec<Link> = links.iter().map(known).collect();
    decide(&links_known, request, now)?;
    Ok(links.iter().all(free))
}

pub(crate) fn one(link: &Link, request: &Request, now: u64) -> Result<(), No> {
    if now < link.from || now >= link.until {
        return Err(No::Time);
    }
    if !link.audiences.iter().any(|audience| *audience == request.callee) {
        return Err(No::Audience);
    }
    let allowed = link.capabilities.iter().any(|capability| allows(capability, request));
    if allowed { Ok(()) } else { Err(No::Capability) }
}

pub(crate) fn allows(capability: &Capability, request: &Request) -> bool {
    covers(capability, request)
        && capability.constraints.iter().all(|(name, rule)| match request.arguments.get(name) {
            Some(value) => holds(rule, value),
            None => false,
        })
}

pub(crate) fn covers(capability: &Capability, request: &Request) -> bool {
    capability.actions.iter().any(|action| *action == request.action)
        && pattern_holds(&capability.resource, &request.resource)
}

pub(crate) fn pattern_holds(pattern: &str, resource: &str) -> bool {
    let (wanted_scheme, wanted) = pattern.split_once(":/").unwrap();
    let (scheme, found) = resource.split_once(":/").unwrap();
    let wanted: Vec<&str> = wanted.split('/').collect();
    let found: Vec<&str> = found.split('/').collect();
    wanted_scheme == scheme && segments_match(&wanted, &found)
}

fn segments_match(wanted: &[&str], found: &[&str]) -> bool {
    match (wanted, found) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", wanted @ ..], [_, found @ ..]) => segments_match(wanted, found),
        ([one, wanted @ ..], [other, found @ ..]) => {
            spelling::decode(one) == spelling::decode(other) && segments_match(wanted, found)
        }
        _ => false,
    }
}

pub(crate) fn holds(rule: &Rule, value: &Value) -> bool {
    match (rule, value) {
        (Rule::TextIn(texts), Value::Text(text)) => texts.iter().any(|listed| listed == text),
        (Rule::IntIn(numbers), Value::Int(number)) => numbers.iter().any(|listed| listed == number),
        (Rule::IntRange(min, max), Value::Int(number)) => !(number < min || number > max),
        (Rule::PathUnder(top), Value::Path(path)) => at_or_beneath(top, path),
        (Rule::IpIn(base, length), Value::Ip(address)) => {
            base.len() == address.len() && (0..*length).all(|place| bit(base, place) == bit(address, place))
        }
        (Rule::UrlUnder { scheme, host, port, path }, Value::Url(url)) => {
            let url = spelling::split_url(url).unwrap();
            *scheme == url.scheme
                && *port == url.effective_port()
                && host_holds(host, &url.host)
                && at_or_beneath(path, &url.path)
        }
        _ => false,
    }
}

/// Segment by segment, the empty ones left out: `/` has none, and a slash at a URL's end adds none.
fn at_or_beneath(top: &str, path: &str) -> bool {
    let [top, path] = [top, path].map(|text| text.split('/').filter(|part| !part.is_empty()).collect());
    let (top, path): (Vec<&str>, Vec<&str>) = (top, path);
    top.len() <= path.len() && (0..top.len()).all(|place| top[place] == path[place])
}

fn bit(bytes: &[u8], place: u32) -> bool {
    bytes[place as usize / 8] >> (7 - place % 8) & 1 == 1
}

fn host_holds(pattern: &str, host: &str) -> bool {
    let Some(domain) = pattern.strip_prefix("*.") else { return pattern == host };
    let (domain, host): (Vec<&str>, Vec<&str>) = (domain.split('.').collect(), host.split('.').collect());
    // One label or more, then the domain's.
    (1..host.len()).any(|labels| host[labels..] == domain[..])
}

/// Whether each part of it is spelled the one way.
pub(crate) fn is_request(request: &Request) -> bool {
    let argument = |(name, value): (&String, &Value)| {
        spelling::is("word", name)
            && match value {
                Value::Text(text) => spelling::is("text", text),
                Value::Int(_) => true,
                Value::Path(path) => spelling::is("path", path),
                Value::Ip(bytes) => address::is_address(bytes),
                Value::Url(url) => spelling::is("url", url),
            }
    };
    spelling::is("principal", &request.callee)
        && spelling::is("word", &request.action)
        && spelling::is("resource", &request.resource)
        && request.arguments.iter().all(argument)
}
