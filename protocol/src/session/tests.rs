use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{capability::Amount, digest::Digest, receipt::ActionOutcome, time::Timestamp};

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn agreed(opening: &Digest, answer: &Digest) -> (SessionKeys, SessionKeys) {
    let mut rng = rng();
    let (caller, callee) = (Ephemeral::generate(&mut rng), Ephemeral::generate(&mut rng));
    let (from_caller, from_callee) = (caller.public(), callee.public());
    let caller = caller.agree(&from_callee, opening, answer).unwrap();
    (caller, callee.agree(&from_caller, &digest("opening"), &digest("answer")).unwrap())
}

fn request(seq: u64, action: &str) -> SessionRequest {
    SessionRequest {
        seq,
        action: action.parse().unwrap(),
        resource: "file:/data/q3.csv".parse().unwrap(),
        arguments: digest("arguments"),
        deadline: Timestamp::new(1_800_000_000_000).unwrap(),
    }
}

#[test]
fn both_sides_have_the_same_keys_if_they_signed_the_same() {
    let strand = Strand::begin(Side::Caller, &digest("opening"), &digest("answer"));
    let (caller, callee) = agreed(&digest("opening"), &digest("answer"));
    callee.requests.verify(&strand.link, &caller.requests.mac(&strand.link)).unwrap();
    caller.results.verify(&strand.link, &callee.results.mac(&strand.link)).unwrap();
    for (opening, answer) in [("another", "answer"), ("opening", "another"), ("answer", "opening")] {
        let (caller, callee) = agreed(&digest(opening), &digest(answer));
        let mac = caller.requests.mac(&strand.link);
        assert_eq!(callee.requests.verify(&strand.link, &mac), Err(WrongMac), "{opening}, {answer}");
    }
}

#[test]
fn what_was_said_one_way_is_worth_nothing_the_other_way() {
    let strand = Strand::begin(Side::Caller, &digest("opening"), &digest("answer"));
    let (caller, callee) = agreed(&digest("opening"), &digest("answer"));
    let mac = caller.requests.mac(&strand.link);
    assert_eq!(callee.results.verify(&strand.link, &mac), Err(WrongMac));
    assert_eq!(callee.requests.verify(&strand.link, &mac[..31]), Err(WrongMac), "a part of one is none");
    let results = Strand::begin(Side::Callee, &digest("opening"), &digest("answer"));
    assert_ne!(strand.link, results.link);
}

#[test]
fn a_key_of_small_order_agrees_with_nobody() {
    let mut one = [0; 32];
    one[0] = 1;
    for small in [[0; 32], one] {
        let small = EphemeralKey::try_from(&small[..]).unwrap();
        let ours = Ephemeral::generate(&mut rng());
        assert_eq!(ours.agree(&small, &digest("opening"), &digest("answer")).unwrap_err(), NotAgreed);
    }
}

#[test]
fn a_link_names_everything_before_it() {
    let begin = Strand::begin(Side::Caller, &digest("opening"), &digest("answer"));
    let (read, write) = (request(1, "files:read"), request(1, "files:write"));
    let after = begin.with(&read).with(&request(2, "files:list"));
    assert_eq!(after.count, 2);
    assert_ne!(after, begin.with(&write).with(&request(2, "files:list")));
    assert_ne!(begin.with(&read), begin.with(&write));
    assert_eq!(begin.with(&read), begin.with_digest(&Strand::digest(&read)));
    let other = Strand::begin(Side::Caller, &digest("opening"), &digest("other answer"));
    assert_ne!(begin.with(&read), other.with(&read), "another session");
}

#[test]
fn no_request_is_mistaken_for_a_result() {
    let begin = Strand::begin(Side::Callee, &digest("opening"), &digest("answer"));
    let result = SessionResult {
        number: 1,
        seq: 1,
        request: begin.link,
        outcome: ActionOutcome::Done,
        result: digest("body"),
        cost: Amount::new(1).unwrap(),
        finished: Timestamp::new(1_800_000_000_000).unwrap(),
    };
    let dearer = SessionResult { cost: Amount::new(2).unwrap(), ..result.clone() };
    assert_ne!(begin.with(&result), begin.with(&dearer));
    assert_ne!(begin.with(&result), begin.with(&request(1, "files:read")));
}

#[test]
fn secrets_do_not_print() {
    let (keys, _) = agreed(&digest("opening"), &digest("answer"));
    assert_eq!(format!("{:?}", keys.requests), "MacKey(..)");
    assert_eq!(format!("{:?}", Ephemeral::generate(&mut rng())), "Ephemeral(..)");
}
