//! Checks and generators that keep the house in order. `cargo xtask` lists them.

mod codegen;
#[cfg(test)]
mod floors;
mod guards;
#[cfg(test)]
mod outgoing;
mod trace;

use std::{env, error::Error, path::Path, process::ExitCode};

const USAGE: &str = "usage: cargo xtask <command>
  codegen          write the files that follow from spec/
  codegen --check  fail if that would change one of them
  trace            hold the sentences of spec/ against the code and tests that cite them
  guards           turn each guard off and fail if no test turns red, or reaches it; takes long
    --core         those of the core, by its own tests
    --reached <f>  only see that a run of the tests which wrote f made each of them refuse
    --only <id>    those whose id begins so
    --list         only name them";

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    // Read when run, not when built: clones may share one target directory, and so one binary.
    let package = env::var_os("CARGO_MANIFEST_DIR").ok_or("start this through cargo: `cargo xtask`")?;
    let root = Path::new(&package).parent().ok_or("xtask lies in no workspace")?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["codegen"] => codegen::write(root),
        ["codegen", "--check"] => codegen::check(root),
        ["trace"] => trace::run(root),
        ["guards", options @ ..] => guards::run(root, &guards::Options::parse(options).ok_or(USAGE)?),
        _ => Err(USAGE.into()),
    }
}
