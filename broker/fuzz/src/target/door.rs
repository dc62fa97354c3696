//! The broker's door: a message as it comes off a connection, to any method, from anyone who is let in.

mod broker;
mod method;
mod newcomer;

use countersign_protocol::{payload::Payload, refusal::Reason, signed::Signed};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{Seed, Verdict};
use crate::{
    keys,
    scene::SCENE,
    target::statements::sign_within,
    wire::{Field, Value},
};
use broker::{Answer, Broker};
use method::{METHODS, Method};

/// Who calls: parties of the chains, an admin, and mallory, who is party to nothing.
const CALLERS: [&str; 7] = ["mallory", "alice", "planner", "researcher", "fetcher", "files", "root"];

/// What a newcomer calls, who has no key that is known.
const JOIN: &str = "Enrolment/Join";

/// The first byte selects the method, the second the caller; the rest is the message. Where it holds a
/// signed statement it is sent again with that signed anew by the caller.
pub(super) fn door(input: &[u8]) -> Verdict {
    let [method, caller, message @ ..] = input else { return Verdict::Refused };
    let method = &METHODS[usize::from(*method) % METHODS.len()];
    let caller = CALLERS[usize::from(*caller) % CALLERS.len()];
    let mut verdict = told(method, caller, &Broker::call(method, caller, message));
    if let Some(anew) = signed_anew(method, caller, message) {
        verdict = verdict.or(told(method, caller, &Broker::call(method, caller, &anew)));
    }
    verdict
}

/// Holds an answer against what this caller may be told.
fn told(method: &Method, caller: &str, answer: &Answer) -> Verdict {
    let stranger = caller == "mallory";
    match &answer.status {
        None => {
            assert!(!stranger || !method.is_private, "a stranger was shown something by {}", method.name);
            let shown = answer.message.as_ref().map_or(0, Vec::len);
            assert!(!stranger || !method.is_list || shown == 0, "a stranger was listed something");
            if method.name == JOIN {
                newcomer::check_certificate(answer.message.as_deref().unwrap_or_default());
            }
            Verdict::Accepted
        }
        Some(status) => {
            check_refusal(status, stranger && (method.is_private || method.is_list));
            Verdict::Refused
        }
    }
}

/// A refusal states a reason of the registry; a stranger's says nothing of what there is.
fn check_refusal(status: &Status, as_a_stranger: bool) {
    let Some(info) = status.get_details_error_info() else {
        // The codec refuses what is no message, before any of ours sees it.
        let of_the_codec = matches!(status.code(), Code::Internal | Code::OutOfRange | Code::Unimplemented);
        assert!(of_the_codec, "a refusal without a reason: {status:?}");
        return;
    };
    let reason = Reason::from_name(&info.reason).unwrap_or_else(|| panic!("no reason is {}", info.reason));
    assert_eq!(status.code(), Code::from(reason.grpc_code()));
    assert_ne!(reason, Reason::LedgerUnavailable, "{status:?}");
    assert!(!as_a_stranger || reason.stranger() == reason, "a stranger was told {}", info.reason);
    assert!(!as_a_stranger || !info.metadata.contains_key("rule"));
}

/// The message with the statement in it signed by the caller, or by a newcomer.
fn signed_anew(method: &Method, caller: &str, message: &[u8]) -> Option<Vec<u8>> {
    if method.name == JOIN {
        return newcomer::signed_anew(message);
    }
    let mut fields = Field::read_all(message)?;
    let field = fields.iter_mut().find(|field| Some(field.number()) == method.statement)?;
    let signed = Signed::from_bytes(field.as_bytes()?).ok()?;
    let key = SCENE.world.agent(caller).key;
    field.value = Value::Bytes(sign_within(keys::signed_by(&signed, &key), &key).to_bytes());
    Some(Field::write_all(&fields))
}

pub(super) fn seeds() -> Vec<Seed> {
    method::seeds()
}
