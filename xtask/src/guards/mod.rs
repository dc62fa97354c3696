//! Mutation of the guards: with each of them off in turn, a test must turn red.
//!
//! A guard that no test misses is either not tested or not needed. Each place that refuses counts by
//! itself, also where several cite one rule.

mod site;
mod suite;
mod trial;

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use crate::trace::guards::Kind;
use site::Site;
use suite::Suite;
use trial::Outcome;

/// Which guards, and how far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// What the tests of another run were told, in place of a trial.
    reached: Option<PathBuf>,
    /// The core's alone.
    core: bool,
    /// The beginning of the ids.
    only: String,
    /// Names them and stops.
    list: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--core" => options.core = true,
                "--list" => options.list = true,
                "--reached" => options.reached = Some((*arguments.next()?).into()),
                "--only" => options.only = (*arguments.next()?).to_owned(),
                _ => return None,
            }
        }
        Some(options)
    }

    fn covers(&self, site: &Site) -> bool {
        site.id.starts_with(&self.only) && (!self.core || site.place.starts_with("protocol/"))
    }
}

/// The core's tests come first: they are quick, and notice most.
const CORE: &[&str] = &["countersign-protocol"];
const SHELL: &[&str] = &["countersign-broker", "countersign", "countersign-cli"];

/// Fails if no test makes a guard refuse, or if one can be off and no test turns red, and names it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    let sites: Vec<Site> = site::find(root)?.into_iter().filter(|site| options.covers(site)).collect();
    match &options.reached {
        Some(told) => reached(&sites, &fs::read_to_string(told)?),
        None => tried(root, options, sites),
    }
}

/// What a run of the tests was told of each refusal: `file:line`, a tab, the test.
fn reached(sites: &[Site], told: &str) -> Result<(), Box<dyn Error>> {
    let places: BTreeSet<&str> = told.lines().filter_map(|line| line.split('\t').next()).collect();
    let unreached: Vec<_> = sites.iter().filter(|site| !places.contains(&*site.place)).collect();
    println!("guards: {} of {} were made to refuse", sites.len() - unreached.len(), sites.len());
    if unreached.is_empty() {
        return Ok(());
    }
    let lines = unreached.iter().map(|site| format!("{site}: no test makes it refuse"));
    Err(lines.collect::<Vec<_>>().join("\n").into())
}

fn tried(root: &Path, options: &Options, sites: Vec<Site>) -> Result<(), Box<dyn Error>> {
    let (mut open, valued): (Vec<Site>, Vec<Site>) =
        sites.into_iter().partition(|site| site.kind == Kind::Condition);
    println!(
        "guards: {} can be off; {} more have no value to go on with, so only whether a test reaches them is seen",
        open.len(),
        valued.len()
    );
    if options.list {
        open.iter().chain(&valued).for_each(|site| println!("{site}"));
        return Ok(());
    }
    let (all, mut unreached) = (open.len(), valued);
    let mut survivors: Vec<(Site, Outcome)> = Vec::new();
    for packages in if options.core { &[CORE][..] } else { &[CORE, SHELL][..] } {
        if open.is_empty() && unreached.is_empty() {
            break;
        }
        let suite = Suite::build(root, packages)?;
        let sightings = suite.sightings()?;
        unreached.retain(|site| !sightings.contains_key(&site.place));
        let before = std::mem::take(&mut survivors);
        survivors = trial::run(&suite, &sightings, open)?;
        // What an earlier suite saw of it says more than that a later one saw nothing.
        for (site, outcome) in survivors.iter_mut().filter(|(_, it)| *it == Outcome::NeverRefused) {
            let seen = before.iter().find(|(earlier, _)| earlier.place == site.place);
            *outcome = seen.map_or(Outcome::NeverRefused, |(_, earlier)| earlier.clone());
        }
        open = survivors.iter().map(|(site, _)| Site::clone(site)).collect();
    }
    unreached.iter().for_each(|site| println!("unreached  {site}: no test makes it refuse"));
    survivors.iter().for_each(|(site, outcome)| println!("survived   {site}: {outcome}"));
    println!(
        "guards: {} killed, {} survived; {} unreached",
        all - survivors.len(),
        survivors.len(),
        unreached.len()
    );
    if !survivors.is_empty() {
        return Err("guards: some can be off, and no test turns red".into());
    }
    // The core's own tests do not reach what only the shell does.
    if !unreached.is_empty() && !options.core {
        return Err("guards: some are made to refuse by no test".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_or_refused() {
        let options = Options::parse(&["--core", "--only", "NEG-0"]).unwrap();
        assert_eq!(options, Options { core: true, only: "NEG-0".into(), ..Options::default() });
        let options = Options::parse(&["--reached", "told"]).unwrap();
        assert_eq!(options.reached, Some("told".into()));
        assert_eq!(Options::parse(&["--only"]), None);
        assert_eq!(Options::parse(&["--reached"]), None);
        assert_eq!(Options::parse(&["NEG-0"]), None);
    }

    #[test]
    fn a_guard_that_no_test_made_refuse_is_named() {
        let site = |line: u32, kind| Site {
            id: format!("NEG-01{line}"),
            kind,
            place: format!("protocol/src/door.rs:{line}"),
        };
        let sites = [site(1, Kind::Condition), site(2, Kind::Value), site(3, Kind::Value)];
        let told = "protocol/src/door.rs:1\ttests::shut\nprotocol/src/door.rs:2\t\n";
        assert!(reached(&sites[..2], told).is_ok(), "the twin");
        let error = reached(&sites, told).unwrap_err().to_string();
        assert_eq!(error, "NEG-013 protocol/src/door.rs:3: no test makes it refuse");
    }
}
