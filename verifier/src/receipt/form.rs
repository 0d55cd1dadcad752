//! The bytes of a receipt: fields in one order, each in one spelling.

use assay_protocol::{Bytes32, Bytes64, Finish, JobId, NodeId, Sampling, TokenId};

use super::{Audit, Money, Part, Policy, Receipt, SeedFrom, Signed, State, Verdict};
use crate::{
    log::entry::IntoUuid,
    wire::{Reader, WireError, Writer},
};

/// The version of this form.
const VERSION: u8 = 1;
/// Longest nonce of a client.
const NONCE_BYTES_MAX: usize = 128;
/// Longest rule, outcome or class.
const WORD_BYTES_MAX: usize = 32;
/// Parts of one job: a few rounds of a few nodes.
const PARTS_MAX: usize = 64;
/// The sampler's own bound.
const BIASES_MAX: usize = 1_024;

const STATES: [State; 3] = [State::Succeeded, State::Failed, State::Cancelled];
const POLICIES: [Policy; 3] = [Policy::Low, Policy::Standard, Policy::High];
const SEEDS: [SeedFrom; 3] = [SeedFrom::Client, SeedFrom::Nonce, SeedFrom::Gateway];
const FINISHES: [Finish; 4] = [Finish::Stop, Finish::Length, Finish::Told, Finish::Embedded];

pub(super) fn encode(receipt: &Receipt) -> Vec<u8> {
    let mut w = Writer::default();
    let r = receipt;
    w.byte(VERSION).bytes(&r.gateway).bytes(r.job.0.as_bytes()).number(r.time_ms);
    one_of(&mut w, &STATES, r.state);
    one_of(&mut w, &POLICIES, r.policy);
    one_of(&mut w, &SEEDS, r.seed_from);
    w.option(r.nonce.as_ref(), |w, nonce| {
        w.sized(nonce.as_bytes());
    });
    w.bytes(&r.salt.0).bytes(&r.request.0);
    w.option(r.response.as_ref(), |w, response| {
        w.bytes(&response.0);
    });
    w.bytes(&r.manifest_hash.0);
    w.option(r.limits_hash.as_ref(), |w, hash| {
        w.bytes(&hash.0);
    });
    write_sampling(&mut w, &r.sampling, r.grammar);
    w.bytes(&r.seed.0);
    for count in [r.prompt_tokens, r.max_tokens, r.completion_tokens] {
        w.number(count.into());
    }
    w.bytes(&r.prompt_link.0).bytes(&r.answer_link.0);
    w.option(r.verdict.as_ref(), write_verdict);
    w.number(r.audit.epoch).bytes(&r.audit.commitment.0).number(r.audit.q_ppm.into());
    let Money { held, cost, fee, reserve, returned } = r.money;
    for amount in [held, cost, fee, reserve, returned] {
        w.number(amount);
    }
    w.number(r.parts.len() as u64);
    r.parts.iter().for_each(|part| write_part(&mut w, part, r));
    w.finish()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Receipt, WireError> {
    let mut reader = Reader::new(bytes);
    let r = &mut reader;
    if r.byte("version")? != VERSION {
        return Err(WireError::Unknown("version"));
    }
    let mut grammar = None;
    let mut receipt = Receipt {
        gateway: r.array("gateway")?,
        job: JobId(r.array("job")?.into_uuid()),
        time_ms: r.number("time")?,
        state: read_one_of(r, "state", &STATES)?,
        policy: read_one_of(r, "policy", &POLICIES)?,
        seed_from: read_one_of(r, "seed's origin", &SEEDS)?,
        nonce: r.option("nonce", |r| r.text("nonce", NONCE_BYTES_MAX))?,
        salt: Bytes32(r.array("salt")?),
        request: Bytes32(r.array("request's hash")?),
        response: r.option("response's hash", |r| r.array("response's hash").map(Bytes32))?,
        manifest_hash: Bytes32(r.array("manifest hash")?),
        limits_hash: r.option("limits' hash", |r| r.array("limits' hash").map(Bytes32))?,
        sampling: read_sampling(r, &mut grammar)?,
        grammar,
        seed: Bytes32(r.array("seed")?),
        prompt_tokens: r.small("prompt tokens")?,
        max_tokens: r.small("most tokens")?,
        completion_tokens: r.small("answer's tokens")?,
        prompt_link: Bytes32(r.array("prompt's hash")?),
        answer_link: Bytes32(r.array("answer's hash")?),
        verdict: r.option("verdict", read_verdict)?,
        audit: Audit {
            epoch: r.number("epoch")?,
            commitment: Bytes32(r.array("commitment")?),
            q_ppm: r.small("audit probability")?,
        },
        money: Money {
            held: r.number("hold")?,
            cost: r.number("cost")?,
            fee: r.number("fee")?,
            reserve: r.number("reserve")?,
            returned: r.number("returned money")?,
        },
        parts: Vec::new(),
    };
    let parts: usize = r.small("number of parts")?;
    if parts > PARTS_MAX {
        return Err(WireError::TooLarge("number of parts"));
    }
    for _ in 0..parts {
        let part = read_part(r, &receipt)?;
        receipt.parts.push(part);
    }
    reader.end()?;
    Ok(receipt)
}

fn write_verdict(w: &mut Writer, verdict: &Verdict) {
    let Verdict { rule, round, nodes_asked, finish, positions_checked, .. } = verdict;
    w.sized(rule.as_bytes()).byte(*round).number((*nodes_asked).into());
    one_of(w, &FINISHES, *finish);
    w.number((*positions_checked).into());
    for value in [&verdict.largest_margin_nano, &verdict.sigma2_nano] {
        w.option(value.as_ref(), |w, value| {
            w.number(*value);
        });
    }
}

fn read_verdict(r: &mut Reader<'_>) -> Result<Verdict, WireError> {
    Ok(Verdict {
        rule: r.text("rule", WORD_BYTES_MAX)?,
        round: r.byte("round")?,
        nodes_asked: r.small("number of nodes asked")?,
        finish: read_one_of(r, "reason to end", &FINISHES)?,
        positions_checked: r.small("number of checked positions")?,
        largest_margin_nano: r.option("largest margin", |r| r.number("largest margin"))?,
        sigma2_nano: r.option("variance", |r| r.number("variance"))?,
    })
}

/// Links that the receipt names already are left out.
fn write_part(w: &mut Writer, part: &Part, receipt: &Receipt) {
    w.bytes(part.node.0.as_bytes()).sized(part.class.as_bytes());
    w.byte(part.round).sized(part.outcome.as_bytes()).number(part.pay);
    w.option(part.signed.as_ref(), |w, signed| {
        w.bytes(&signed.key.0).number(signed.version.into()).number(signed.epoch);
        w.number(signed.from.into()).number(signed.to.into());
        write_link(w, signed.h_from, receipt.prompt_link);
        write_link(w, signed.h_to, receipt.answer_link);
        w.bytes(&signed.logits_hash.0);
        w.option(signed.finish.as_ref(), |w, finish| one_of(w, &FINISHES, *finish));
        w.bytes(&signed.signature.0);
    });
}

fn read_part(r: &mut Reader<'_>, receipt: &Receipt) -> Result<Part, WireError> {
    Ok(Part {
        node: NodeId(r.array("node")?.into_uuid()),
        class: r.text("class", WORD_BYTES_MAX)?,
        round: r.byte("round")?,
        outcome: r.text("outcome", WORD_BYTES_MAX)?,
        pay: r.number("pay")?,
        signed: r.option("node's signature", |r| {
            Ok(Signed {
                key: Bytes32(r.array("node's key")?),
                version: r.small("wire version")?,
                epoch: r.number("session")?,
                from: r.small("first token")?,
                to: r.small("last token")?,
                h_from: read_link(r, receipt.prompt_link)?,
                h_to: read_link(r, receipt.answer_link)?,
                logits_hash: Bytes32(r.array("logits' hash")?),
                finish: r
                    .option("reason to end", |r| read_one_of(r, "reason to end", &FINISHES))?,
                signature: Bytes64(r.array("node's signature")?),
            })
        })?,
    })
}

fn write_link(w: &mut Writer, link: Bytes32, known: Bytes32) {
    w.option((link != known).then_some(&link), |w, link| {
        w.bytes(&link.0);
    });
}

fn read_link(r: &mut Reader<'_>, known: Bytes32) -> Result<Bytes32, WireError> {
    let link = r.option("link", |r| r.array("link").map(Bytes32))?;
    if link == Some(known) {
        Err(WireError::NotCanonical("link"))
    } else {
        Ok(link.unwrap_or(known))
    }
}

/// One byte says which parameters are not the defaults; those follow with all their bits, then the grammar's hash.
fn write_sampling(w: &mut Writer, sampling: &Sampling, grammar: Option<Bytes32>) {
    let values = values(sampling);
    let defaults = self::values(&Sampling::default());
    let differs = |at: usize| values[at].to_bits() != defaults[at].to_bits();
    let mut flags = u8::from(sampling.top_k != 0) << 5
        | u8::from(!sampling.logit_bias.is_empty()) << 6
        | u8::from(grammar.is_some()) << 7;
    for at in (0..values.len()).filter(|at| differs(*at)) {
        flags |= 1 << at;
    }
    w.byte(flags);
    for at in (0..values.len()).filter(|at| differs(*at)) {
        w.bytes(&values[at].to_bits().to_be_bytes());
    }
    if sampling.top_k != 0 {
        w.number(sampling.top_k.into());
    }
    if !sampling.logit_bias.is_empty() {
        w.number(sampling.logit_bias.len() as u64);
        for (id, bias) in &sampling.logit_bias {
            w.number((*id).into()).bytes(&bias.to_bits().to_be_bytes());
        }
    }
    if let Some(hash) = grammar {
        w.bytes(&hash.0);
    }
}

fn read_sampling(r: &mut Reader<'_>, grammar: &mut Option<Bytes32>) -> Result<Sampling, WireError> {
    const WHAT: &str = "sampling";
    let flags = r.byte(WHAT)?;
    let mut found = values(&Sampling::default());
    for (at, value) in found.iter_mut().enumerate() {
        if flags & (1 << at) != 0 {
            let given = u64::from_be_bytes(r.array(WHAT)?);
            if given == value.to_bits() {
                return Err(WireError::NotCanonical(WHAT));
            }
            *value = f64::from_bits(given);
        }
    }
    let [temperature, top_p, min_p, presence_penalty, frequency_penalty] = found;
    let top_k = if flags & (1 << 5) != 0 { r.small::<u32>(WHAT)? } else { 0 };
    if flags & (1 << 5) != 0 && top_k == 0 {
        return Err(WireError::NotCanonical(WHAT));
    }
    let logit_bias = if flags & (1 << 6) != 0 { read_biases(r, WHAT)? } else { Vec::new() };
    if flags & (1 << 7) != 0 {
        *grammar = Some(Bytes32(r.array("grammar's hash")?));
    }
    Ok(Sampling {
        temperature,
        top_k,
        top_p,
        min_p,
        presence_penalty,
        frequency_penalty,
        logit_bias,
        grammar: None,
        top_logprobs: None,
    })
}

fn read_biases(r: &mut Reader<'_>, what: &'static str) -> Result<Vec<(TokenId, f64)>, WireError> {
    let count: usize = r.small(what)?;
    if count > BIASES_MAX {
        return Err(WireError::TooLarge(what));
    }
    let mut biases: Vec<(TokenId, f64)> = Vec::new();
    for _ in 0..count {
        let id = r.small(what)?;
        if biases.last().is_some_and(|(before, _)| *before >= id) {
            return Err(WireError::NotCanonical(what));
        }
        biases.push((id, f64::from_bits(u64::from_be_bytes(r.array(what)?))));
    }
    if biases.is_empty() { Err(WireError::NotCanonical(what)) } else { Ok(biases) }
}

fn values(sampling: &Sampling) -> [f64; 5] {
    let Sampling { temperature, top_p, min_p, presence_penalty, frequency_penalty, .. } = sampling;
    [*temperature, *top_p, *min_p, *presence_penalty, *frequency_penalty]
}

fn one_of<T: PartialEq + Copy>(w: &mut Writer, all: &[T], value: T) {
    let at = all.iter().position(|known| *known == value).expect("all values are listed");
    w.number(at as u64);
}

fn read_one_of<T: Copy>(r: &mut Reader<'_>, what: &'static str, all: &[T]) -> Result<T, WireError> {
    all.get(usize::from(r.byte(what)?)).copied().ok_or(WireError::Unknown(what))
}
