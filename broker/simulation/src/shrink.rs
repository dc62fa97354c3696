//! Making a failing plan smaller, as long as it breaks the same sentence.

use crate::{
    plan::{Plan, Step},
    run::run,
};

/// How many plans are tried at most.
const TRIES: usize = 3_000;

/// A plan that breaks the same invariant with as few steps, and as low numbers, as could be found.
pub fn shrink(plan: &Plan) -> Plan {
    let Some((at, violation)) = run(plan, false).broken else { return plan.clone() };
    let mut tries = 0;
    let mut fails = |candidate: &Plan| {
        tries += 1;
        tries <= TRIES
            && run(candidate, false).broken.is_some_and(|(_, it)| it.invariant == violation.invariant)
    };
    let mut best = Plan { seed: plan.seed, steps: plan.steps.iter().take(at).copied().collect() };
    if !fails(&best) {
        // It broke only at the very end.
        best = plan.clone();
    }
    leave_out(&mut best, &mut fails);
    lower(&mut best, &mut fails);
    leave_out(&mut best, &mut fails);
    best
}

/// Leaves out halves, quarters, and so on down to single steps.
fn leave_out(best: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < best.steps.len() {
            let kept = best.steps.iter().enumerate().filter(|(at, _)| *at < from || *at >= from + size);
            let candidate = Plan { seed: best.seed, steps: kept.map(|(_, step)| *step).collect() };
            if fails(&candidate) { *best = candidate } else { from += size }
        }
        size /= 2;
    }
}

/// Lowers each number: to zero, or to half.
fn lower(best: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    for at in 0..best.steps.len() {
        for change in changes() {
            let mut candidate = best.clone();
            candidate.steps.get_mut(at).into_iter().for_each(change);
            if candidate != *best && fails(&candidate) {
                *best = candidate;
            }
        }
    }
}

fn changes() -> Vec<fn(&mut Step)> {
    vec![
        |step| step.fates = [0; 4],
        |step| step.crash = 0,
        |step| step.slow = false,
        |step| step.who = 0,
        |step| step.what = 0,
        |step| step.which = 0,
        |step| step.how = 0,
        |step| step.who /= 2,
        |step| step.what /= 2,
        |step| step.which /= 2,
        |step| step.how /= 2,
        |step| step.crash /= 2,
    ]
}
