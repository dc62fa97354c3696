//! Tokens that cost much to verify.

use std::fmt::Write as _;

use countersign::Agent;
use countersign_protocol::{
    capability::{Argument, Arguments, Rights, Value},
    contract::Rebind,
    digest::ContractHash,
    extension::Extensions,
    id::InstanceUuid,
    key::SigningKey,
    limits::CHAIN_MAX_DEPTH,
    payload::Payload as _,
    token::{Holder, HopTerms, append_hop, sign_hop},
};
use rand::rngs::OsRng;

use super::{Deed, Tally, caller::Caller, deed};
use crate::arena::{ALL, Arena, principal};

/// Calls at a time.
const CALLS: usize = 64;

/// Rules, and the values of each: a block has no room for many more.
const CAPABILITIES: usize = 32;
const CHOICES: usize = 3;

/// Sixteen hops by real keys, and the same with a bit of the last signature flipped: the broker
/// has to look at every signature before it can say no.
pub(super) async fn deep(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let mut caller = Caller::enter(arena, ALL).await;
    let token = longest(&caller);
    let mut damaged = token.clone();
    *damaged.iter_mut().nth_back(20).unwrap() ^= 1;
    let mut deeds = Vec::new();
    for bytes in [token, damaged] {
        caller.token = bytes;
        deeds.extend(calls(&caller, tally, Vec::new()));
    }
    deeds
}

/// Hands the grant on, to names and keys that it made up, as often as it may. No contract stands behind
/// it, and the caller does not hold the end of it: the broker knows neither before it has verified all.
fn longest(caller: &Caller) -> Vec<u8> {
    let (mut token, mut key) = (caller.held().token().clone(), key_of(&caller.agent));
    for depth in 1..=CHAIN_MAX_DEPTH as u32 {
        let next = SigningKey::generate(&mut OsRng);
        let uuid = InstanceUuid::new(caller.agent.now(), &mut OsRng);
        let instance = principal(&format!("agent/puppet-{depth}")).instance(uuid);
        let terms = HopTerms {
            holder: Holder { instance, key: next.public() },
            contract: ContractHash::from_bytes([7; 32]),
            rights: Rights { delegations_left: 16 - depth, ..caller.held().rights().clone() },
            rebind: Rebind::Never,
            extensions: Extensions::none(),
        };
        let hop = append_hop(&token, &terms, key.public(), sign_hop(&token, &terms, &key));
        (token, key) = (hop.verify(&caller.agent.keys()).unwrap(), next);
    }
    token.as_bytes().to_vec()
}

/// Its instance key, which an exported identity holds somewhere.
fn key_of(agent: &Agent) -> SigningKey {
    let exported = agent.danger_export().unwrap();
    let keys = exported.windows(32).map(|seed| SigningKey::from_seed(seed.try_into().unwrap()));
    keys.into_iter().find(|key| key.public() == agent.public_key()).unwrap()
}

/// Rights that take as many rules as fit a block, and requests that only the last of them decides.
pub(super) async fn costly(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let mut capabilities = String::new();
    for number in 0..CAPABILITIES {
        let choices: Vec<String> = (0..CHOICES).map(|choice| format!("\"{number}-{choice}\"")).collect();
        write!(
            capabilities,
            "[[capability]]\nresource = \"file:/data/**\"\nactions = [\"files:read\"]\n\
             constraints = [{{ argument = \"kind\", one_of = [{}] }}]\n",
            choices.join(", ")
        )
        .unwrap();
    }
    let caller = Caller::enter(arena, &capabilities).await;
    let kind = Argument {
        name: "kind".parse().unwrap(),
        value: Value::Text(format!("{}-none", CAPABILITIES - 1).parse().unwrap()),
    };
    calls(&caller, tally, Arguments::new(vec![kind]).unwrap().to_bytes())
}

fn calls(caller: &Caller, tally: &Tally, arguments: Vec<u8>) -> Vec<Deed> {
    let one = |caller: Caller, arguments: Vec<u8>, tally: Tally| async move {
        loop {
            let request = caller.request(caller.id(), arguments.clone(), Vec::new());
            tally.outcome(caller.client().invoke(request).await);
        }
    };
    (0..CALLS).map(|_| deed(one(caller.clone(), arguments.clone(), tally.clone()))).collect()
}
