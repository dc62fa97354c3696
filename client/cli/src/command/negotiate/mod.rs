//! `countersign negotiate`: a person in the place of an agent.

mod answer;
mod ask;
mod desk;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Negotiate {
    Ask(Box<ask::Ask>),
    Answer(Box<answer::Answer>),
}

impl Negotiate {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Ask(ask) => ask.run(context).await,
            Self::Answer(answer) => answer.run(context).await,
        }
    }
}
