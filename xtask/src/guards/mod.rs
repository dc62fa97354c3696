//! Mutation of the guards: with each of them off in turn, a test must turn red.
//!
//! A guard that no test misses is either not tested or not needed. Each place that refuses counts by
//! itself, also where several cite one rule.

mod site;
mod suite;
mod trial;

use std::{error::Error, path::Path};

use crate::trace::guards::Kind;
use site::Site;
use suite::Suite;
use trial::Outcome;

/// Which guards, and how far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
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

/// Fails if a guard can be off and no test turns red, and names it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    let sites: Vec<Site> = site::find(root)?.into_iter().filter(|site| options.covers(site)).collect();
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
    if survivors.is_empty() { Ok(()) } else { Err("guards: some can be off, and no test turns red".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_or_refused() {
        let options = Options::parse(&["--core", "--only", "NEG-0"]).unwrap();
        assert_eq!(options, Options { core: true, only: "NEG-0".into(), list: false });
        assert_eq!(Options::parse(&["--only"]), None);
        assert_eq!(Options::parse(&["NEG-0"]), None);
    }
}
