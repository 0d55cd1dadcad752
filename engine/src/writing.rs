//! Writes answers token by token: one, or up to eight that go on in step and share the cost of reading the
//! weights.

use std::{ops::ControlFlow, slice};

use assay_model::sampler::{Position, TokenCounts, logprobs};
use assay_protocol::{Bytes32, Finish, Sampling, TokenId, TokenLogprobs};

use crate::{Engine, EngineError, constraint::Constraint, engine::position, forms::Cache};

/// Answers that are written at once, at most. Beyond this a processor gains little.
pub const BATCH_MAX: usize = 8;

/// Write an answer.
#[derive(Clone, Debug)]
pub struct GenerateRequest {
    pub prompt: Vec<TokenId>,
    /// Output tokens that are already there: the answer goes on after them.
    pub prefix: Vec<TokenId>,
    /// Output tokens at most, the prefix included.
    pub max_tokens: u32,
    pub sampling: Sampling,
    pub seed: Bytes32,
}

/// A token that was just drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub id: TokenId,
    /// Its raw logit.
    pub logit: f32,
    /// If the sampling asks for them.
    pub logprobs: Option<TokenLogprobs>,
}

/// An answer that is being written: one row of a batch.
struct Row<'a> {
    /// Which of the requests.
    number: usize,
    request: &'a GenerateRequest,
    counts: TokenCounts,
    /// What comes next by the grammar, if there is one.
    constraint: Option<Constraint>,
    /// Output tokens that are there.
    len: usize,
    /// Where it ends at the latest.
    len_max: usize,
    /// What goes in next: at first prompt and prefix, then the last token, nothing once it has ended.
    fed: Vec<TokenId>,
    finish: Option<Finish>,
}

impl Engine {
    /// Writes an answer. `on_token` gets each new token with its raw logit, the end token too.
    ///
    /// Ends with `Stop` at an end token, `Length` at `max_tokens` or the end of the context, and
    /// `Told` when the callback breaks.
    pub fn generate(
        &mut self,
        request: &GenerateRequest,
        on_token: &mut dyn FnMut(TokenId, f32) -> ControlFlow<()>,
    ) -> Result<Finish, EngineError> {
        self.generate_told(request, &mut |drawn| on_token(drawn.id, drawn.logit))
    }

    /// The same; `on_token` gets all that is told of a token.
    pub fn generate_told(
        &mut self,
        request: &GenerateRequest,
        on_token: &mut dyn FnMut(Drawn) -> ControlFlow<()>,
    ) -> Result<Finish, EngineError> {
        let on_token = &mut |_, drawn| on_token(drawn);
        Ok(self.batch(slice::from_ref(request), on_token)?[0])
    }

    /// Writes up to [`BATCH_MAX`] answers in step, each as [`Self::generate`] would: the tokens are the same,
    /// the logits within rounding. `on_token` gets the number of the request first.
    ///
    /// # Errors
    /// Nothing is written if one of the requests cannot be fed; when a run or a draw fails, all of them fail.
    pub fn generate_batch(
        &mut self,
        requests: &[GenerateRequest],
        on_token: &mut dyn FnMut(usize, TokenId, f32) -> ControlFlow<()>,
    ) -> Result<Vec<Finish>, EngineError> {
        self.batch(requests, &mut |number, drawn| on_token(number, drawn.id, drawn.logit))
    }

    fn batch(
        &mut self,
        requests: &[GenerateRequest],
        on_token: &mut dyn FnMut(usize, Drawn) -> ControlFlow<()>,
    ) -> Result<Vec<Finish>, EngineError> {
        if requests.len() > BATCH_MAX {
            return Err(EngineError::BatchTooLarge { requests: requests.len() });
        }
        let rows = requests.iter().enumerate();
        let rows = rows.map(|(number, request)| self.begin(number, request));
        let rows: Vec<Row<'_>> = rows.collect::<Result<_, _>>()?;
        let mut finishes: Vec<Option<Finish>> = rows.iter().map(|row| row.finish).collect();
        let open: Vec<Row<'_>> = rows.into_iter().filter(Row::is_open).collect();
        if self.fit_in_one_piece(&open) {
            self.write(open, &mut finishes, on_token)?;
        } else {
            for one in open {
                self.write(vec![one], &mut finishes, on_token)?;
            }
        }
        Ok(finishes.into_iter().map(|finish| finish.expect("every answer has ended")).collect())
    }

    /// An answer before its first new token, or already at its end.
    fn begin<'a>(
        &self,
        number: usize,
        request: &'a GenerateRequest,
    ) -> Result<Row<'a>, EngineError> {
        let GenerateRequest { prompt, prefix, max_tokens, .. } = request;
        self.check(prompt, prefix)?;
        let (len, max_tokens) = (prefix.len(), *max_tokens);
        if len > max_tokens as usize {
            return Err(EngineError::PrefixTooLong { prefix: len, max_tokens });
        }
        let len_max = (max_tokens as usize).min(self.context_length() - prompt.len());
        let finish = if prefix.last().is_some_and(|id| self.text().is_end(*id)) {
            Some(Finish::Stop)
        } else {
            (len >= len_max).then_some(Finish::Length)
        };
        let fed = [prompt.as_slice(), prefix].concat();
        let counts = TokenCounts::of(prefix);
        let constraint = Constraint::of(self.text(), &request.sampling, prefix)?;
        Ok(Row { number, request, counts, constraint, len, len_max, fed, finish })
    }

    /// Several rows are fed together or not at all; one can be fed in pieces.
    fn fit_in_one_piece(&self, rows: &[Row<'_>]) -> bool {
        let longest = rows.iter().map(|row| row.fed.len()).max().unwrap_or_default();
        rows.len() <= 1 || rows.len() * longest <= self.piece_len
    }

    /// Writes these in step until the last one has ended.
    fn write(
        &mut self,
        mut rows: Vec<Row<'_>>,
        finishes: &mut [Option<Finish>],
        on_token: &mut dyn FnMut(usize, Drawn) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let mut cache = self.graph.empty_cache(rows.len())?;
        while rows.iter().any(Row::is_open) {
            let drawn = self.feed_and_draw(&mut cache, &rows)?;
            for (row, drawn) in rows.iter_mut().zip(drawn) {
                let Some(drawn) = drawn else { continue };
                let id = drawn.id;
                let answer = on_token(row.number, drawn);
                row.push(id, self.text().is_end(id), answer)?;
                finishes[row.number] = row.finish;
            }
            drop_ended(&mut cache, &mut rows)?;
        }
        Ok(())
    }

    /// Feeds every row and draws the token after it; none for a row that has ended.
    fn feed_and_draw(
        &mut self,
        cache: &mut Cache,
        rows: &[Row<'_>],
    ) -> Result<Vec<Option<Drawn>>, EngineError> {
        let mut fed: Vec<&[TokenId]> = rows.iter().map(|row| row.fed.as_slice()).collect();
        if let [only] = fed.as_mut_slice() {
            while only.len() > self.piece_len {
                let (piece, rest) = only.split_at(self.piece_len);
                self.graph.feed(cache, &[piece], |_| ())?;
                *only = rest;
            }
        }
        self.graph.feed(cache, &fed, |logits| {
            let open = rows.iter().zip(&fed).enumerate();
            open.map(|(number, (row, fed))| {
                let Some(last) = fed.len().checked_sub(1) else { return Ok(None) };
                row.draw(logits.after(number, last)).map(Some)
            })
            .collect()
        })?
    }
}

impl Row<'_> {
    fn is_open(&self) -> bool {
        self.finish.is_none()
    }

    fn draw(&self, logits: &[f32]) -> Result<Drawn, EngineError> {
        let GenerateRequest { sampling, seed, .. } = self.request;
        let index = position(self.len);
        let allowed = self.constraint.as_ref().and_then(Constraint::allowed);
        let at = Position { sampling, seed: *seed, index, counts: &self.counts, allowed };
        let id = at.draw(logits)?;
        let logprobs = sampling.top_logprobs.map(|top| logprobs(logits, top));
        Ok(Drawn { id, logit: logits[id as usize], logprobs })
    }

    fn push(
        &mut self,
        id: TokenId,
        is_end: bool,
        answer: ControlFlow<()>,
    ) -> Result<(), EngineError> {
        self.len += 1;
        self.counts.push(id);
        self.fed = vec![id];
        self.finish = match answer {
            ControlFlow::Break(()) => Some(Finish::Told),
            ControlFlow::Continue(()) if is_end => Some(Finish::Stop),
            ControlFlow::Continue(()) if self.len == self.len_max => Some(Finish::Length),
            ControlFlow::Continue(()) => None,
        };
        match &mut self.constraint {
            _ if self.finish.is_some() => self.fed.clear(),
            Some(constraint) => constraint.push(id)?,
            None => {}
        }
        Ok(())
    }
}

/// Ended rows cost as much as open ones: they go when they are half of all.
fn drop_ended(cache: &mut Cache, rows: &mut Vec<Row<'_>>) -> Result<(), EngineError> {
    let open: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].is_open()).collect();
    if open.is_empty() || 2 * open.len() > rows.len() {
        return Ok(());
    }
    cache.keep(&open)?;
    rows.retain(Row::is_open);
    Ok(())
}

#[cfg(test)]
mod tests {
    use assay_model::ChatMessage;

    use super::*;
    use crate::{EngineConfig, Form, Runtime, RuntimeConfig, ScoreRequest};

    #[test]
    fn feeding_in_pieces_changes_nothing_but_rounding_in_either_form() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/demo");
        let runtime = Runtime::load(&RuntimeConfig::default()).unwrap();
        for form in [Form::A, Form::B] {
            let config = EngineConfig { form: Some(form), ..EngineConfig::default() };
            pieces_change_nothing(&mut Engine::open(&runtime, folder.as_ref(), &config).unwrap());
        }
    }

    fn pieces_change_nothing(engine: &mut Engine) {
        let ask = ChatMessage::new("user", "Tell me a story.");
        let prompt = engine.text().encode(&engine.text().render(&[ask]).unwrap()).unwrap();
        let (sampling, seed) = (Sampling::default(), Bytes32([1; 32]));
        let request =
            GenerateRequest { prompt, prefix: Vec::new(), max_tokens: 24, sampling, seed };

        let mut write = |piece_len| {
            engine.piece_len = piece_len;
            let mut outputs = vec![Vec::new(); 2];
            let push = &mut |number: usize, id, _| {
                outputs[number].push(id);
                ControlFlow::Continue(())
            };
            engine.generate_batch(&[request.clone(), request.clone()], push).unwrap();
            let GenerateRequest { prompt, sampling, .. } = request.clone();
            let output = outputs[0].clone();
            let scores = engine.score(&ScoreRequest { prompt, output, sampling, seed }).unwrap();
            (outputs, scores)
        };
        let (outputs, whole) = write(usize::MAX);
        let (outputs_in_pieces, in_pieces) = write(3);
        assert_eq!(outputs_in_pieces, outputs);
        for (one, other) in whole.iter().zip(&in_pieces) {
            assert_eq!(one.own, other.own);
            assert!((one.logit - other.logit).abs() < 1e-4, "{one:?} {other:?}");
        }
    }
}
