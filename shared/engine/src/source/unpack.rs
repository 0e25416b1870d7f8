//! What is inside a file that may be packed with gzip or zstd, piece by piece.

use std::io::Write as _;

use domain::{Problem, limit};
use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

/// Bytes unpacked at a time: gzip packs at most 1032 to 1, so this bounds what one step makes.
const STEP_BYTES: usize = 8 * 1024;

/// Window of a zstd frame as a power of two: what `zstd` unpacks without being told to
/// (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`), 128 MB of memory.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Undoes the packing of a file.
pub(super) struct Unpack {
    file: String,
    form: Form,
    packed: u64,
    unpacked: u64,
}

enum Form {
    /// Not enough bytes to tell.
    Opening(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<Zstd>),
}

struct Zstd {
    decoder: Decoder<'static>,
    output: Vec<u8>,
    /// Whether the last frame is whole.
    whole: bool,
}

/// What takes the unpacked bytes.
pub(super) type Take<'a> = dyn FnMut(&[u8]) -> Result<(), Problem> + 'a;

impl Unpack {
    pub(super) fn new(file: &str) -> Unpack {
        Unpack { file: file.to_owned(), form: Form::Opening(Vec::new()), packed: 0, unpacked: 0 }
    }

    /// The name of the packing, once it is known that there is one.
    pub(super) fn packing(&self) -> Option<&'static str> {
        match self.form {
            Form::Gzip(_) => Some("gzip"),
            Form::Zstd(_) => Some("zstd"),
            Form::Opening(_) | Form::Plain => None,
        }
    }

    /// Takes the next bytes of the file and hands on what they unpack to.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut Take<'_>) -> Result<(), Problem> {
        let Form::Opening(head) = &mut self.form else {
            return self.unpack(bytes, take);
        };
        head.extend_from_slice(bytes);
        if head.len() < 4 {
            return Ok(());
        }
        self.open(take)
    }

    /// The file has ended.
    pub(super) fn finish(&mut self, take: &mut Take<'_>) -> Result<(), Problem> {
        if let Form::Opening(_) = self.form {
            self.open(take)?;
        }
        let is_whole = match &mut self.form {
            Form::Opening(_) | Form::Plain => true,
            Form::Gzip(decoder) => decoder.try_finish().is_ok(),
            Form::Zstd(zstd) => zstd.whole,
        };
        if is_whole {
            return self.hand_on(take);
        }
        let packing = self.packing().unwrap_or_default();
        Err(self.wrong("packing", packing).found("an end in the middle").hint("the file was cut off"))
    }

    fn open(&mut self, take: &mut Take<'_>) -> Result<(), Problem> {
        let Form::Opening(head) = std::mem::replace(&mut self.form, Form::Plain) else { return Ok(()) };
        match head.as_slice() {
            [0x1f, 0x8b, 8, ..] => self.form = Form::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => self.form = Form::Zstd(Box::new(self.zstd()?)),
            _ => {}
        }
        self.unpack(&head, take)
    }

    fn zstd(&self) -> Result<Zstd, Problem> {
        let failed = |error: std::io::Error| self.wrong("packing", "zstd").found(error);
        let mut decoder = Decoder::new().map_err(failed)?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(failed)?;
        Ok(Zstd { decoder, output: Vec::new(), whole: false })
    }

    fn unpack(&mut self, bytes: &[u8], take: &mut Take<'_>) -> Result<(), Problem> {
        if let Form::Plain = self.form {
            return take(bytes);
        }
        for step in bytes.chunks(STEP_BYTES) {
            self.packed += step.len() as u64;
            let mut rest = step;
            while !rest.is_empty() {
                let done = match &mut self.form {
                    Form::Gzip(decoder) => decoder.write_all(rest).map(|()| rest.len()),
                    Form::Zstd(zstd) => zstd.step(rest),
                    Form::Opening(_) | Form::Plain => Ok(rest.len()),
                };
                match done {
                    Ok(count) => rest = &rest[count..],
                    Err(error) => {
                        let packing = self.packing().unwrap_or_default();
                        return Err(self
                            .wrong("packing", packing)
                            .found(format_args!("damage after {} bytes: {error}", self.packed))
                            .hint("the file was damaged on its way, or cut off and joined"));
                    }
                }
                self.hand_on(take)?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, take: &mut Take<'_>) -> Result<(), Problem> {
        let output = match &mut self.form {
            Form::Gzip(decoder) => decoder.get_mut(),
            Form::Zstd(zstd) => &mut zstd.output,
            Form::Opening(_) | Form::Plain => return Ok(()),
        };
        self.unpacked += output.len() as u64;
        let (packed, unpacked) = (self.packed, self.unpacked);
        let taken = take(output);
        output.clear();
        taken?;
        let most = limit::UNPACKED_BYTES_MIN.max(packed.saturating_mul(limit::UNPACKED_RATIO_MAX));
        if unpacked > most {
            let packing = self.packing().unwrap_or_default();
            return Err(self
                .wrong("packing", packing)
                .found(format_args!("{packed} bytes that unpack to more than {unpacked}"))
                .expected(format_args!("at most {} times as many", limit::UNPACKED_RATIO_MAX))
                .hint("unpack the file first, if this is meant"));
        }
        Ok(())
    }

    fn wrong(&self, rule: &str, packing: &str) -> Problem {
        Problem::new(&self.file, rule).expected(format_args!("a whole {packing} file"))
    }
}

impl Zstd {
    fn step(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        const ROOM: usize = 128 * 1024;
        let mut input = InBuffer::around(bytes);
        // More may be waiting inside as long as the room is used up.
        loop {
            let used = self.output.len();
            self.output.resize(used + ROOM, 0);
            let mut room = OutBuffer::around(&mut self.output[used..]);
            let hint = self.decoder.run(&mut input, &mut room);
            let made = room.pos();
            self.output.truncate(used + made);
            self.whole = hint? == 0;
            if made < ROOM {
                break;
            }
        }
        Ok(input.pos())
    }
}
