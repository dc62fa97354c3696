//! The rights of a grant: from a file, or from the command line.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::{
    capability::{Amount, Budget, Capability, ResourcePattern},
    name::{PrincipalId, Word},
    payload::{Ascending, Bounded, NotList},
    settings::{self, Scope},
};

use crate::{
    failure::Failure,
    input::{self, Source},
    limits::TEXT_FILE_MAX_BYTES,
    terminal::{Terminal, printable},
};

/// Rights from the command line.
#[derive(Debug, Args)]
#[group(multiple = true, conflicts_with = "file")]
pub(super) struct Flags {
    /// What may be acted on, such as file:/data/**.
    #[arg(long, required = false, requires_all = ["action", "audience", "unit", "ceiling", "per_call", "delegations_left"])]
    resource: ResourcePattern,
    /// What may be done; again for each action.
    #[arg(long, required = false)]
    action: Vec<Word>,
    /// Who may be asked to do it; again for each callee.
    #[arg(long, required = false, value_name = "PRINCIPAL")]
    audience: Vec<PrincipalId>,
    /// What the budget counts, such as calls.
    #[arg(long, required = false)]
    unit: Word,
    /// How much may be used in all.
    #[arg(long, required = false, value_name = "N")]
    ceiling: u64,
    /// How much one call may use.
    #[arg(long, required = false, value_name = "N")]
    per_call: u64,
    /// How many further hops may follow.
    #[arg(long, required = false, value_name = "N")]
    delegations_left: u32,
}

/// Reads a file of rights, and tells of everything that is wrong with it.
pub(crate) fn read(source: &Source, terminal: &mut Terminal) -> Result<Scope, Failure> {
    let bytes = source.read(TEXT_FILE_MAX_BYTES, terminal)?;
    let name = match source {
        Source::Stdin => PathBuf::from("standard input"),
        Source::File(path) => path.clone(),
    };
    let text = input::text(bytes, &name)?;
    settings::read(&name.display().to_string(), &text, Scope::read).map_err(|problems| {
        problems.to_string().lines().for_each(|line| terminal.say(&printable(line)));
        let count = problems.list().len();
        let why = if count == 1 {
            "One thing is wrong with it.".into()
        } else {
            format!("{count} things are wrong with it.")
        };
        Failure::usage(
            format!("{} does not say which rights are meant", name.display()),
            why,
            "Mend them and try again.",
        )
    })
}

impl Flags {
    /// The rights that the options state.
    pub(super) fn scope(&self) -> Result<Scope, Failure> {
        let of_list = |error: NotList| no_rights(&format!("{error}."));
        let amount = |number| Amount::new(number).ok_or_else(|| no_rights("An amount is beyond 63 bits."));
        let capability = Capability {
            resource: self.resource.clone(),
            actions: Ascending::new(self.action.clone()).map_err(of_list)?,
            constraints: Bounded::default(),
        };
        let budget = Budget {
            unit: self.unit.clone(),
            ceiling: amount(self.ceiling)?,
            per_call: amount(self.per_call)?,
            window: None,
        };
        if budget.per_call == Amount::ZERO || budget.per_call > budget.ceiling {
            return Err(no_rights("--per-call is 1 at least, and --ceiling at most."));
        }
        Ok(Scope {
            capabilities: Bounded::new(vec![capability]).map_err(of_list)?,
            audiences: Ascending::new(self.audience.clone()).map_err(of_list)?,
            budget,
            delegations_left: self.delegations_left,
        })
    }
}

/// Nothing that could be given was stated.
pub(crate) fn no_rights(why: &str) -> Failure {
    Failure::usage("Nothing was given", why, "See countersign grant create --help.")
}
