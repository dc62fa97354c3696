//! Narrowing: what lies within a child's rights lies within its parent's.

use countersign_protocol::{
    capability::{
        Argument, Arguments, Capability, IpName, Request, ResourceName, ResourcePattern, Rights, Rule,
        UrlPrefix, Value, Widening,
    },
    payload::Payload,
    time::Timestamp,
    token::{Link, Table},
};

use super::{Seed, Verdict, seeds_of};
use crate::{grammar, scene::SCENE, vectors, wire::Field};

/// A message of two: the parent's rights, and the child's.
pub(super) fn rights(input: &[u8]) -> Verdict {
    let Some(fields) = Field::read_all(input) else { return Verdict::Refused };
    let read = |number| grammar::read::<Rights>(Field::bytes(&fields, number)?);
    let (Some(parent), Some(child)) = (read(1), read(2)) else { return Verdict::Refused };
    assert_eq!(child.first_widening(&child), Some(Widening::Delegations), "as many hops");
    let within = parent.first_widening(&child).is_none();
    let (wide, narrow) = (link(&parent), link(&child));
    for request in requests_within(&child) {
        let now = child.not_before;
        assert!(allows(&narrow, &request, now), "{request:?} was made to be within {child:?}");
        assert!(!within || allows(&wide, &request, now), "{request:?} is within the child, not the parent");
    }
    if within {
        assert!(
            child.budget.ceiling <= parent.budget.ceiling && child.budget.per_call <= parent.budget.per_call
        );
        assert!(parent.not_before <= child.not_before && child.not_after <= parent.not_after);
        assert!(child.delegations_left < parent.delegations_left);
        assert!(child.audiences.iter().all(|callee| parent.audiences.has(callee)));
        Verdict::Accepted
    } else {
        Verdict::Refused
    }
}

/// Whether a link by itself allows the request.
pub(super) fn allows(link: &Link, request: &Request, now: Timestamp) -> bool {
    Table::compile(&[], link).decide(request, now).is_ok()
}

/// A link with these rights, whoever holds it.
fn link(rights: &Rights) -> Link {
    Link { rights: rights.clone(), ..SCENE.active[0].token().leaf().clone() }
}

/// Requests at the edges of what these rights allow: two for each capability.
pub(super) fn requests_within(rights: &Rights) -> Vec<Request> {
    let of = |capability: &Capability| [false, true].map(|far| request(rights, capability, far));
    rights.capabilities.iter().flat_map(of).flatten().collect()
}

/// The nearest request that a capability allows, or one that goes as far as it can.
fn request(rights: &Rights, capability: &Capability, far: bool) -> Option<Request> {
    let arguments = capability.constraints.iter().map(|constraint| {
        Some(Argument { name: constraint.argument.clone(), value: value(&constraint.rule, far)? })
    });
    Some(Request {
        callee: if far { rights.audiences.last() } else { rights.audiences.first() }?.clone(),
        action: if far { capability.actions.last() } else { capability.actions.first() }?.clone(),
        resource: resource(&capability.resource, far)?,
        arguments: Arguments::new(arguments.collect::<Option<_>>()?).ok()?,
    })
}

fn resource(pattern: &ResourcePattern, far: bool) -> Option<ResourceName> {
    let (scheme, path) = pattern.as_str().split_once(":/")?;
    let segments: Vec<&str> = path.split('/').collect();
    let fill = |segment: &&str| match *segment {
        "*" => "x".to_owned(),
        "**" if far && segments.len() < 32 => "x/y".to_owned(),
        "**" => "x".to_owned(),
        literal => literal.to_owned(),
    };
    // It may be too long by the letter that stands for a star; then there is none to be made.
    format!("{scheme}:/{}", segments.iter().map(fill).collect::<Vec<_>>().join("/")).parse().ok()
}

fn value(rule: &Rule, far: bool) -> Option<Value> {
    Some(match rule {
        Rule::TextIn(choices) => Value::Text(if far { choices.last() } else { choices.first() }?.clone()),
        Rule::IntIn(choices) => {
            let choices = choices.as_slice();
            Value::Int(*if far { choices.last() } else { choices.first() }?)
        }
        Rule::IntRange(range) => Value::Int(if far { range.max } else { range.min }),
        Rule::PathUnder(prefix) if far => {
            let path = prefix.as_str().trim_end_matches('/');
            Value::Path(format!("{path}/x").parse().ok()?)
        }
        Rule::PathUnder(prefix) => Value::Path(prefix.clone()),
        Rule::IpIn(block) => {
            let text = block.to_string();
            let address = text.split_once('/')?.0.parse().ok()?;
            Value::Ip(IpName::new(address)?)
        }
        Rule::UrlUnder(prefix) => Value::Url(url(prefix, far)?.parse().ok()?),
    })
}

fn url(UrlPrefix { scheme, host, port, path }: &UrlPrefix, far: bool) -> Option<String> {
    let host = match host.as_str().strip_prefix("*.") {
        Some(domain) => format!("a.{domain}"),
        None => host.to_string(),
    };
    let port = match (scheme.as_str(), port) {
        ("http", 80) | ("https", 443) => String::new(),
        (_, port) => format!(":{port}"),
    };
    let rest = if far { "/x?q=/../y" } else { "" };
    let path = if far { path.as_str().trim_end_matches('/') } else { path.as_str() };
    Some(format!("{scheme}://{host}{port}{path}{rest}"))
}

pub(super) fn seeds() -> Vec<Seed> {
    let pairs = vectors::VECTORS.iter().filter(|vector| vector.op == "narrow").map(|vector| {
        let side = |number, field| Field::of_bytes(number, &vectors::bytes(&vector.input, field));
        (vector.id.clone(), Field::write_all(&[side(1, "parent_b64"), side(2, "child_b64")]))
    });
    let links: Vec<_> = SCENE.active[2].token().links().map(|link| link.rights.to_bytes()).collect();
    let leaf = Field::write_all(&[Field::of_bytes(1, &links[1]), Field::of_bytes(2, &links[2])]);
    seeds_of(pairs.chain([("scene.leaf".to_owned(), leaf)]))
}
