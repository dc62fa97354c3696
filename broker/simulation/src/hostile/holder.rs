//! The holder who re-signs what it likes.

use crate::{
    party::seat,
    plan::{Step, counted},
    stop::Flow,
    world::World,
};

counted! {
    /// What it tries.
    Cheat {
        /// A hop with wider rights, for an accomplice.
        WidensHop,
        /// A hop that was signed for another parent.
        SplicesHop,
        /// A hop on a chain of someone else's.
        HopOnOthersChain,
        /// A hop for an accomplice with the hash of a real contract.
        ReusesContract,
        /// A hop that was only offered, or withdrawn.
        UsesOffer,
        /// Bytes that are no token.
        GarbledToken,
        /// A chain from a root of its own.
        ForeignRoot,
        /// A chain of more hops than anyone takes.
        DeepChain,
        /// A proof for something else than is asked.
        OtherRequest,
        /// A proof for another channel.
        OtherChannel,
        /// A proof for the way past the broker.
        OtherWay,
        /// A proof with another activation.
        OtherActivation,
        /// A proof of another domain.
        ForeignProof,
        /// A proof that lives too long.
        LongProof,
        /// A proof that is over.
        LateProof,
        /// A proof from the future.
        EarlyProof,
        /// A proof that says something critical.
        ExtendedProof,
        /// A proof by another key.
        ForgedProof,
        /// A proof that was used.
        ReplaysProof,
        /// A proof of someone else's, over its own channel.
        StolenProof,
        /// Someone else's chain, with a proof of its own.
        StolenChain,
        /// An invocation's id for something else.
        ReusesInvocation,
        /// An invocation's id of long ago.
        OldInvocation,
        /// Something that no link allows.
        BeyondRights,
        /// Any move, in its place, whatever the state.
        OutOfTurn,
        /// A second word in the same place.
        Equivocates,
        /// A move that was made already.
        RepeatsMove,
        /// A move with another number, round or transcript.
        Misplaces,
        /// A move that is void, or for someone else, or of another domain.
        Misaddresses,
        /// A move that it did not sign, or that nobody can read.
        Garbles,
        /// A move of someone else's, over its own channel.
        OthersMove,
        /// A move in a negotiation of others.
        Intrudes,
        /// A negotiation under an id that is taken, or of another time.
        TakesId,
        /// A negotiation without end.
        Endless,
        /// More negotiations than anyone may have.
        Floods,
        /// An acceptance of another contract, or on another log.
        AcceptsOther,
        /// Both an acceptance and something else.
        AcceptsTwice,
        /// A revocation of what is others', or of nothing.
        RevokesOthers,
        /// A revocation in another's name, of another time, or under a used id.
        MisusesRevocation,
        /// A change of what is others', or as somebody else.
        ChangesOthers,
        /// A change in another's name, of another time, under a used id, or shown by a use of others.
        MisusesChange,
        /// A chain of someone else's is taken over, or taken back by a process that is gone.
        TakesOver,
        /// A consent to a rebind that is another's to give, or to something else than was asked.
        Consents,
        /// A join with a token that is used, late, unknown, or for someone else.
        Joins,
        /// A renewal of someone else, or with something changed.
        Renews,
        /// A join token, of nobody who may give one.
        Invites,
        /// Something from a process that is gone, or never was.
        Haunts,
    }
}

impl World {
    /// The hostile holder does its next thing.
    pub(crate) fn cheat(&mut self, step: &Step) -> Flow {
        let mallory = seat("mallory");
        if !self.ready(mallory)? {
            return Ok(());
        }
        // Most cells of the table are met by moves that are out of turn.
        let cheat = match step.what {
            215.. => Cheat::OutOfTurn,
            what => Cheat::ALL[usize::from(what) % Cheat::ALL.len()],
        };
        let tried = self.try_cheat(cheat, step)?;
        if tried {
            self.tally.count("hostile act", &format!("holder {}", cheat.name()));
            self.say(|| format!("    mallory {}", cheat.name()));
            return Ok(());
        }
        // Without a chain there is nothing to cheat with: it asks for one.
        let made = self.opening(mallory, "dealer", 0);
        self.make_move(mallory, made, true);
        Ok(())
    }

    fn try_cheat(&mut self, cheat: Cheat, step: &Step) -> Flow<bool> {
        Ok(match cheat {
            Cheat::WidensHop | Cheat::SplicesHop | Cheat::ReusesContract => self.own_hop(cheat, step),
            Cheat::HopOnOthersChain => self.foreign_hop(step),
            Cheat::UsesOffer => self.offered_hop(step)?,
            Cheat::GarbledToken | Cheat::ForeignRoot | Cheat::DeepChain => self.bad_token(cheat, step),
            Cheat::OtherRequest
            | Cheat::OtherChannel
            | Cheat::OtherWay
            | Cheat::OtherActivation
            | Cheat::ForeignProof
            | Cheat::LongProof
            | Cheat::LateProof
            | Cheat::EarlyProof
            | Cheat::ExtendedProof
            | Cheat::ForgedProof
            | Cheat::OldInvocation
            | Cheat::BeyondRights => self.bad_proof(cheat, step),
            Cheat::ReplaysProof | Cheat::ReusesInvocation => self.used_proof(cheat, step),
            Cheat::StolenProof => self.stolen_proof(step),
            Cheat::StolenChain => self.stolen_chain(step),
            Cheat::OutOfTurn | Cheat::Misplaces | Cheat::Misaddresses | Cheat::Garbles => {
                self.bad_move(cheat, step)?
            }
            Cheat::Equivocates | Cheat::RepeatsMove => self.second_word(cheat, step)?,
            Cheat::OthersMove | Cheat::Intrudes => self.intrusion(cheat, step)?,
            Cheat::TakesId | Cheat::Endless => self.bad_opening(cheat, step),
            Cheat::Floods => self.flood(step),
            Cheat::AcceptsOther | Cheat::AcceptsTwice => self.bad_acceptance(cheat, step)?,
            Cheat::RevokesOthers | Cheat::MisusesRevocation => self.bad_revocation(cheat, step),
            Cheat::ChangesOthers | Cheat::MisusesChange => self.bad_change(cheat, step),
            Cheat::TakesOver => self.bad_rebind(step),
            Cheat::Consents => self.bad_consent(step),
            Cheat::Joins => self.bad_join(step)?,
            Cheat::Renews => self.bad_renewal(step),
            Cheat::Invites => self.bad_invitation(step)?,
            Cheat::Haunts => self.haunt(step),
        })
    }
}
