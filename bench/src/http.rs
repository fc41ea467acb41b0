//! A keep-alive HTTP/1.1 client by hand, as small as it can be: it shares the machine with the server that it measures,
//! so what it costs is missing there.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is taken, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A connection that carries one request at a time.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    filled: usize,
}

/// An answer, as long as the next request is not sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'received> {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: &'received [u8],
    /// The body, put together if it came in chunks.
    pub body: &'received [u8],
}

impl Answer<'_> {
    /// The value of a header, by its name in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }

    /// Status and body, as an error says it.
    #[must_use]
    pub fn describe(&self) -> String {
        let body: String = String::from_utf8_lossy(self.body).chars().take(1000).collect();
        format!("status {}: {body}", self.status)
    }
}

impl Connection {
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: vec![0; 64 * 1024], filled: 0 })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// A connection that ends, an answer that is not HTTP/1.1 or longer than 64 MiB.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.filled = 0;
        self.stream.write_all(request).await.context("sending a request")?;
        let (status, head, body) = loop {
            self.receive().await?;
            let Some(head) = find(self.received.get(..self.filled).unwrap_or_default(), b"\r\n\r\n") else { continue };
            let text = self.received.get(..head).unwrap_or_default();
            let status = text.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
            let status = status.context("the answer has no status")?;
            let body = match (header(text, "content-length"), header(text, "transfer-encoding")) {
                (Some(length), _) => Body::Length(length.parse().context("the length of the answer")?),
                (None, Some("chunked")) => Body::Chunks,
                _ if status == 204 || status == 304 => Body::Length(0),
                _ => bail!("the answer says neither how long it is nor that it comes in chunks"),
            };
            break (status, head, body);
        };
        let begin = head + 4;
        let length = match body {
            Body::Length(length) => {
                while self.filled < begin + length {
                    self.receive().await?;
                }
                length
            }
            Body::Chunks => self.join_chunks(begin).await?,
        };
        Ok(Answer {
            status,
            head: self.received.get(..head).unwrap_or_default(),
            body: self.received.get(begin..begin + length).unwrap_or_default(),
        })
    }

    async fn receive(&mut self) -> Result<()> {
        if self.filled == self.received.len() {
            ensure!(self.filled < ANSWER_BYTES_MAX, "the answer is longer than {ANSWER_BYTES_MAX} bytes");
            self.received.resize(self.filled * 2, 0);
        }
        let count = self.stream.read(self.received.get_mut(self.filled..).unwrap_or_default()).await?;
        ensure!(count > 0, "the server closed the connection");
        self.filled += count;
        Ok(())
    }

    /// Reads a body in chunks and moves them together; how long it is.
    async fn join_chunks(&mut self, begin: usize) -> Result<usize> {
        let (mut from, mut length) = (begin, 0);
        loop {
            let line = loop {
                match find(self.received.get(from..self.filled).unwrap_or_default(), b"\r\n") {
                    Some(end) => break from + end,
                    None => self.receive().await?,
                }
            };
            let size = std::str::from_utf8(self.received.get(from..line).unwrap_or_default())?;
            let size =
                usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).context("a chunk")?;
            ensure!(size <= ANSWER_BYTES_MAX, "a chunk of {size} bytes is too long");
            let data = line + 2;
            while self.filled < data + size + 2 {
                self.receive().await?;
            }
            self.received.copy_within(data..data + size, begin + length);
            length += size;
            from = data + size + 2;
            if size == 0 {
                return Ok(length);
            }
        }
    }
}

enum Body {
    Length(usize),
    Chunks,
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn header<'head>(head: &'head [u8], name: &str) -> Option<&'head str> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let matches = line.get(..colon)?.eq_ignore_ascii_case(name.as_bytes());
        matches.then(|| std::str::from_utf8(line.get(colon + 1..)?).ok().map(str::trim)).flatten()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::TcpListener;

    use super::*;

    /// Asks somebody who sends these pieces, one after the other, for every request.
    async fn asked(pieces: &'static [&'static str], check: impl Fn(Result<Answer<'_>>)) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut received = [0; 4];
            for _ in 0..2 {
                stream.read_exact(&mut received).await.unwrap();
                for piece in pieces {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        };
        let asking = async {
            let mut connection = Connection::open(address).await.unwrap();
            check(connection.ask(b"ask\n").await);
            check(connection.ask(b"ask\n").await);
        };
        tokio::join!(serving, asking);
    }

    #[tokio::test]
    async fn an_answer_of_a_length_is_read_whole() {
        asked(&["HTTP/1.1 200 OK\r\nContent-", "Length:  7\r\nX-A: b\r\n\r", "\nabc", "defg"], |answer| {
            let answer = answer.unwrap();
            assert_eq!((answer.status, answer.body), (200, b"abcdefg".as_slice()));
            assert_eq!((answer.header("x-a"), answer.header("x-b")), (Some("b"), None));
        })
        .await;
    }

    #[tokio::test]
    async fn chunks_are_put_together() {
        let pieces = &[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            "c\r\n4;x=y\r\ndefg\r\n",
            "0\r\n",
            "\r\n",
        ];
        asked(pieces, |answer| assert_eq!(answer.unwrap().body, b"abcdefg")).await;
    }

    #[tokio::test]
    async fn an_answer_without_content_has_no_body() {
        asked(&["HTTP/1.1 204 No Content\r\nlocation: /a\r\n\r\n"], |answer| {
            let answer = answer.unwrap();
            assert_eq!((answer.status, answer.body.len(), answer.header("location")), (204, 0, Some("/a")));
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_that_goes_away_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = Connection::open(listener.local_addr().unwrap()).await.unwrap();
        drop(listener.accept().await.unwrap());
        assert!(connection.ask(b"ask\n").await.is_err());
    }
}
