//! Moves inputs between the corpora that are checked in and the folders that a fuzzer works on.

use std::{env, fs, path::Path, process::ExitCode};

use countersign_fuzz::{Target, corpus};

const USAGE: &str = "usage: countersign-fuzz targets
       countersign-fuzz unpack TARGET FOLDER        seeds and corpus, for a fuzzer to begin with
       countersign-fuzz pack TARGET CONTROL         the best of what was merged, to be checked in
       countersign-fuzz keep TARGET NAME FILE       one finding, under a name that says what it broke";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match told(&arguments) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn told(arguments: &[&str]) -> Result<String, String> {
    let target = |name: &str| Target::named(name).ok_or(format!("there is no target {name}"));
    match arguments {
        ["targets"] => {
            Ok(countersign_fuzz::TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join("\n"))
        }
        ["unpack", name, folder] => {
            let unpacked =
                corpus::unpack(target(name)?, Path::new(folder)).map_err(|error| error.to_string())?;
            Ok(format!("{unpacked} inputs are in {folder}"))
        }
        ["pack", name, control] => {
            let packed =
                corpus::pack(target(name)?, Path::new(control)).map_err(|error| error.to_string())?;
            Ok(format!("the corpus of {name} has {packed} inputs"))
        }
        ["keep", name, finding, file] => {
            let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            corpus::keep(target(name)?, finding, &bytes).map_err(|error| error.to_string())?;
            Ok(format!("{finding} is kept"))
        }
        _ => Err(USAGE.to_owned()),
    }
}
