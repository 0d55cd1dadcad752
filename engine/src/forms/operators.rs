//! Which operators a graph is made of, read off its file: a walk over the protobuf fields of ONNX that lead
//! to nodes, past everything else. It refuses graphs whose answers nobody can check.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use crate::EngineError;

/// These scale activations by the largest value of whatever else is in the batch: an honest node's answer
/// would depend on what it happened to compute beside it.
const SCALED_BY_BATCH: [&str; 6] = [
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
    "DynamicQuantizeLSTM",
];
/// Graphs within nodes within graphs, at most.
const DEPTH_MAX: u32 = 32;
/// A longer name of an operator is none.
const NAME_BYTES_MAX: u64 = 256;

/// The messages of onnx.proto on the way to a node.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
}

/// Refuses a graph with dynamically quantized operators.
pub(crate) fn check_verifiable(path: &Path) -> Result<(), EngineError> {
    let problem = |problem| EngineError::Graph { path: path.to_path_buf(), problem };
    let mut found = None;
    let mut see = |operator: &[u8]| {
        found = found.or(SCALED_BY_BATCH.into_iter().find(|name| name.as_bytes() == operator));
    };
    File::open(path)
        .and_then(|file| {
            let end = file.metadata()?.len();
            Walk { file: BufReader::new(file), at: 0 }.message(Message::Model, end, 0, &mut see)
        })
        .map_err(|error| problem(format!("its operators cannot be read: {error}")))?;
    match found {
        Some(operator) => Err(problem(format!(
            "it holds `{operator}`: with dynamic int8 an answer depends on what else is computed in the same \
             batch, so it cannot be verified; use weight-only quantization, or 16 or 32-bit floats"
        ))),
        None => Ok(()),
    }
}

impl Message {
    /// The message in this field, if it leads to nodes. The numbers are those of onnx.proto.
    fn child(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Model, 7) => Some(Self::Graph),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Attribute, 6 | 11) => Some(Self::Graph),
            _ => None,
        }
    }

    fn is_operator(self, field: u64) -> bool {
        matches!((self, field), (Self::Node, 4))
    }
}

struct Walk<R> {
    file: BufReader<R>,
    at: u64,
}

impl<R: Read + Seek> Walk<R> {
    fn message(
        &mut self,
        message: Message,
        end: u64,
        depth: u32,
        see: &mut dyn FnMut(&[u8]),
    ) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(broken("it is nested too deeply"));
        }
        while self.at < end {
            let tag = self.varint()?;
            let field = tag >> 3;
            let len = match tag & 7 {
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => 8,
                2 => self.varint()?,
                5 => 4,
                _ => return Err(broken("it is no protobuf")),
            };
            let field_end = self.at.checked_add(len).filter(|field_end| *field_end <= end);
            let field_end =
                field_end.ok_or_else(|| broken("a field is longer than its message"))?;
            if message.is_operator(field) && len <= NAME_BYTES_MAX {
                see(&self.bytes(len)?);
            } else if let Some(child) = message.child(field) {
                self.message(child, field_end, depth + 1, see)?;
            } else {
                self.skip(len)?;
            }
        }
        Ok(())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.file.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(broken("a number has no end"))
    }

    fn bytes(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.file).take(len).read_to_end(&mut bytes)?;
        self.at += len;
        Ok(bytes)
    }

    /// Keeps what is buffered, if it is not a long way.
    fn skip(&mut self, len: u64) -> io::Result<()> {
        self.at += len;
        match i64::try_from(len) {
            Ok(len) => self.file.seek_relative(len),
            Err(_) => self.file.seek(SeekFrom::Start(self.at)).map(drop),
        }
    }
}

fn broken(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let len = u8::try_from(content.len()).unwrap();
        assert!(len < 0x80);
        [&[number << 3 | 2, len], content].concat()
    }

    fn operators(file: Vec<u8>) -> io::Result<Vec<String>> {
        let end = file.len() as u64;
        let mut seen = Vec::new();
        let mut walk = Walk { file: BufReader::new(Cursor::new(file)), at: 0 };
        let mut see = |name: &[u8]| seen.push(String::from_utf8_lossy(name).into_owned());
        walk.message(Message::Model, end, 0, &mut see)?;
        Ok(seen)
    }

    #[test]
    fn operators_are_found_also_in_a_branch_and_nothing_else_is() {
        let inner = field(1, &field(4, b"MatMulInteger"));
        let branch = field(5, &[field(1, b"then_branch"), field(6, &inner)].concat());
        let node = field(1, &[field(1, b"input"), field(4, b"If"), branch].concat());
        let weights = field(5, &field(8, b"MatMulInteger is only a name here"));
        let version = vec![1 << 3, 0x96, 0x01];
        let file = [version, field(7, &[weights, node].concat())].concat();
        assert_eq!(operators(file).unwrap(), ["If", "MatMulInteger"]);
    }

    #[test]
    fn what_is_no_graph_is_an_error_and_never_a_pass() {
        let whole = field(7, &field(1, &field(4, b"Add")));
        for cut in 1..whole.len() {
            assert!(operators(whole[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        assert!(operators(b"not a graph at all".to_vec()).is_err());
        let nested = |times| {
            let inner =
                (0..times).fold(Vec::new(), |inner, _| field(1, &field(5, &field(6, &inner))));
            operators(field(7, &inner))
        };
        assert!(nested(3).is_ok());
        assert!(nested(DEPTH_MAX / 2).is_err());
    }
}
