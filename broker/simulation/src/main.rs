//! Replays one seed, readably.

use std::{env, process::ExitCode};

use countersign_simulation::{plan::Plan, run::run, shrink::shrink};

const USAGE: &str = "usage: countersign-simulation --seed N [--shrink]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (seed, smaller) = match arguments[..] {
        ["--seed", seed] => (seed.parse().ok(), false),
        ["--seed", seed, "--shrink"] => (seed.parse().ok(), true),
        _ => (None, false),
    };
    let Some(seed) = seed else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let plan = Plan::draw(seed);
    let plan = if smaller { shrink(&plan) } else { plan };
    match run(&plan, true).broken {
        None => {
            println!("seed {seed}: {} steps, and everything held", plan.steps.len());
            ExitCode::SUCCESS
        }
        Some((step, violation)) => {
            println!("seed {seed}: broken at step {step}\n{violation}");
            ExitCode::FAILURE
        }
    }
}
