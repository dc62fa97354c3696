//! A small world of rights and requests, small enough to say by hand what is within what.

use std::sync::LazyLock;

use countersign_forge::{START_MS, capability, principal};
use countersign_protocol::{
    capability::{
        Amount, Argument, Arguments, Budget, Capability, Constraint, IntRange, Request, Rights, Rule, Value,
        Window,
    },
    name::PrincipalId,
    payload::{Ascending, Bounded},
    time::{Lifetime, Timestamp},
};

/// The patterns that rights are about; each is within the first.
const PATTERNS: [&str; 4] = ["file:/data/**", "file:/data/eu/**", "file:/data/us/**", "file:/data/eu/q3.csv"];
const ACTIONS: [&str; 2] = ["read", "write"];
/// Who can be called.
pub const CALLEES: [&str; 2] = ["files", "archive"];
const RESOURCES: [&str; 4] =
    ["file:/data/eu/q3.csv", "file:/data/us/q1.csv", "file:/data/eu/old/a.csv", "file:/home/keys"];

/// How long a window of a budget is, in milliseconds.
const WINDOW_MS: u64 = 60_000;
/// How long grants live, in milliseconds.
pub const GRANT_MS: u64 = 3_600_000;

static PRINCIPALS: LazyLock<[PrincipalId; 2]> = LazyLock::new(|| CALLEES.map(principal));

fn amount(number: u64) -> Amount {
    Amount::new(number).unwrap()
}

fn constrained(mut capability: Capability, max: i64) -> Capability {
    let rule = Rule::IntRange(IntRange { min: 0, max });
    capability.constraints = Bounded::new(vec![Constraint { argument: "n".parse().unwrap(), rule }]).unwrap();
    capability
}

fn budget(ceiling: u64, per_call: u64, window: Option<u64>) -> Budget {
    let window = window.map(|ceiling| Window {
        ceiling: amount(ceiling.max(per_call)),
        length: Lifetime::from_millis(WINDOW_MS),
    });
    Budget { unit: "calls".parse().unwrap(), ceiling: amount(ceiling), per_call: amount(per_call), window }
}

/// The most that a grant may allow.
pub fn widest() -> Rights {
    Rights {
        capabilities: Bounded::new(vec![capability(PATTERNS[0], &ACTIONS)]).unwrap(),
        audiences: Ascending::new(PRINCIPALS.to_vec()).unwrap(),
        not_before: Timestamp::new(START_MS).unwrap(),
        not_after: Timestamp::new(START_MS + GRANT_MS).unwrap(),
        budget: budget(24, 3, None),
        delegations_left: 4,
    }
}

/// A grant of now: everything, or less by the bits of `how`.
pub fn granted(now: Timestamp, how: u8) -> Rights {
    let window = (how & 3 == 3).then_some(9);
    let life = if how & 12 == 12 { 90_000 } else { GRANT_MS };
    Rights {
        not_before: now,
        not_after: now.plus(Lifetime::from_millis(life)),
        budget: budget([24, 12, 6, 24][usize::from(how >> 4 & 3)], 3, window),
        ..widest()
    }
}

/// Rights within those, by the bits of `how`; `None` where nothing can be handed on.
pub fn narrowed(parent: &Rights, how: u8, now: Timestamp) -> Option<Rights> {
    let mut rights = parent.clone();
    rights.delegations_left = parent.delegations_left.checked_sub(1)?;
    let mut first = parent.capabilities.first()?.clone();
    let narrower = PATTERNS[usize::from(how & 3)].parse().ok()?;
    if first.resource.contains(&narrower) {
        first.resource = narrower;
    }
    if how & 4 == 4 {
        first.actions = Ascending::new(vec![ACTIONS[0].parse().ok()?])
            .ok()
            .filter(|one| one.is_subset(&first.actions))?;
    }
    if how & 24 == 24 {
        first = constrained(first, 5.min(bound(parent)));
    }
    rights.capabilities = Bounded::new(vec![first]).ok()?;
    if how & 96 == 96 {
        let one = vec![PRINCIPALS[0].clone()];
        rights.audiences = Ascending::new(one).ok().filter(|one| one.is_subset(&parent.audiences))?;
    }
    let (ceiling, per_call) = (parent.budget.ceiling.get(), parent.budget.per_call.get());
    let ceiling = (ceiling / [1, 2, 3, 8][usize::from(how >> 3 & 3)]).max(1);
    let per_call = per_call.min([3, 1, 2, 1][usize::from(how >> 5 & 3)]).min(ceiling);
    let window = parent.budget.window.as_ref().map(|window| window.ceiling.get());
    rights.budget = budget(ceiling, per_call, window);
    if how & 136 == 136 {
        rights.not_after = now.plus(Lifetime::from_millis(40_000)).min(parent.not_after);
    }
    if how & 192 == 192 {
        rights.not_before = now.plus(Lifetime::from_millis(2_000)).max(parent.not_before);
    }
    (rights.not_before < rights.not_after).then_some(rights)
}

/// In how many ways [`widened`] goes beyond.
pub const WIDENINGS: u8 = 7;

/// Rights as they could be handed on, save in one way.
pub fn widened(parent: &Rights, way: u8, now: Timestamp) -> Option<Rights> {
    let mut rights = narrowed(parent, 0, now)?;
    match way % WIDENINGS {
        0 => rights.capabilities = Bounded::new(vec![capability("file:/**", &ACTIONS)]).ok()?,
        1 => rights.capabilities = Bounded::new(vec![capability(PATTERNS[0], &["erase", "read"])]).ok()?,
        2 => {
            rights.audiences =
                Ascending::new([PRINCIPALS.as_slice(), &[principal("planner")]].concat()).ok()?
        }
        3 => rights.not_after = parent.not_after.plus(Lifetime::from_millis(60_000)),
        4 => rights.budget.ceiling = parent.budget.ceiling.plus(amount(1))?,
        5 => rights.budget.per_call = parent.budget.per_call.plus(amount(1))?.min(parent.budget.ceiling),
        _ => rights.delegations_left = parent.delegations_left,
    }
    Some(rights)
}

/// A request, by the bits of `how`.
pub fn request(how: u8) -> Request {
    let value = Value::Int([1, 5, 9, -1][usize::from(how >> 4 & 3)]);
    Request {
        callee: PRINCIPALS[usize::from(how & 1)].clone(),
        action: ACTIONS[usize::from(how >> 1 & 1)].parse().unwrap(),
        resource: RESOURCES[usize::from(how >> 2 & 3)].parse().unwrap(),
        arguments: Arguments::new(vec![Argument { name: "n".parse().unwrap(), value }]).unwrap(),
    }
}

/// Every request that this world knows: what is sampled to see whether authority grows.
pub static REQUESTS: LazyLock<Vec<Request>> = LazyLock::new(|| {
    let known = (0..64).map(request);
    let root = Request { resource: "file:/keys/root".parse().unwrap(), ..request(0) };
    let erase = Request { action: "erase".parse().unwrap(), ..request(0) };
    let planner = Request { callee: principal("planner"), ..request(0) };
    known.chain([root, erase, planner]).collect()
});

/// Whether rights allow a request, times aside. Said by hand: it shares nothing with the core's way.
pub fn allows(rights: &Rights, request: &Request) -> bool {
    let called = rights.audiences.iter().any(|callee| callee.as_str() == request.callee.as_str());
    called && rights.capabilities.iter().any(|capability| covers(capability, request))
}

fn covers(capability: &Capability, request: &Request) -> bool {
    let (pattern, resource) = (capability.resource.to_string(), request.resource.to_string());
    let held = match pattern.strip_suffix("**") {
        Some(beneath) => resource.len() > beneath.len() && resource.starts_with(beneath),
        None => resource == pattern,
    };
    let listed = capability.actions.iter().any(|action| action.as_str() == request.action.as_str());
    held && listed && capability.constraints.iter().all(|constraint| keeps(constraint, &request.arguments))
}

fn keeps(constraint: &Constraint, arguments: &Arguments) -> bool {
    arguments.iter().any(|argument| {
        argument.name.as_str() == constraint.argument.as_str()
            && matches!((&constraint.rule, &argument.value),
                (Rule::IntRange(range), Value::Int(n)) if range.min <= *n && *n <= range.max)
    })
}

fn bound(rights: &Rights) -> i64 {
    let rules = rights.capabilities.iter().flat_map(|capability| capability.constraints.iter());
    let ranges = rules.map(|constraint| match &constraint.rule {
        Rule::IntRange(range) => range.max,
        _ => i64::MAX,
    });
    ranges.min().unwrap_or(i64::MAX)
}

/// In what a child goes beyond its parent, by the requests that each allows and by its numbers.
pub fn growth(parent: &Rights, child: &Rights) -> Option<&'static str> {
    let more = REQUESTS.iter().any(|request| allows(child, request) && !allows(parent, request));
    let window = |rights: &Rights| rights.budget.window.as_ref().map_or(u64::MAX, |it| it.ceiling.get());
    let grows = [
        (more, "it allows a request that its parent does not"),
        (child.not_before < parent.not_before || child.not_after > parent.not_after, "its time is longer"),
        (child.budget.ceiling > parent.budget.ceiling, "its ceiling is higher"),
        (child.budget.per_call > parent.budget.per_call, "a call of it may cost more"),
        (window(child) > window(parent), "its window is wider"),
        (child.delegations_left >= parent.delegations_left, "it can be handed on as often"),
    ];
    grows.iter().find(|(grows, _)| *grows).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use countersign_forge::holder;
    use countersign_protocol::{
        digest::ChainId,
        token::{Link, Table},
    };

    use super::*;

    /// A chain of one link with these rights.
    fn table(rights: &Rights) -> Table {
        let (chain_id, holder) = (ChainId::from_bytes([7; 32]), holder("planner"));
        Table::compile(
            &[],
            &Link {
                chain_id,
                holder,
                rights: rights.clone(),
                contract: None,
                rebind: countersign_protocol::contract::Rebind::Never,
                rebound: None,
            },
        )
    }

    fn now() -> Timestamp {
        Timestamp::new(START_MS).unwrap()
    }

    #[test]
    fn what_is_narrowed_has_not_grown_and_what_is_widened_has() {
        let parent = granted(now(), 0);
        for how in 0..=255 {
            let child = narrowed(&parent, how, now()).unwrap();
            assert_eq!((growth(&parent, &child), parent.first_widening(&child)), (None, None), "{how}");
        }
        for way in 0..WIDENINGS {
            let child = widened(&parent, way, now()).unwrap();
            assert!(growth(&parent, &child).is_some() && parent.first_widening(&child).is_some(), "{way}");
        }
    }

    #[test]
    fn the_core_allows_the_same() {
        let parent = granted(now(), 0);
        for how in 0..=255 {
            let rights = narrowed(&parent, how, now()).unwrap();
            for request in REQUESTS.iter() {
                let core = table(&rights).decide(request, rights.not_before).is_ok();
                assert_eq!(core, allows(&rights, request), "{how} {request:?}");
            }
        }
    }
}
