//! A client of few words: one request a connection, over TCP or TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

/// How long an answer may take; far more than it does.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The answer, if it has that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The code and the message of an error.
    #[track_caller]
    pub fn error(&self) -> (String, String) {
        let error = &self.json()["error"];
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    }

    /// The id in the address of a created record.
    #[track_caller]
    pub fn created_id(&self) -> String {
        let address = self.header("OData-EntityId").unwrap();
        address.split_once('(').unwrap().1.trim_end_matches(')').to_owned()
    }
}

/// A server, as a client sees it.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Client {
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    pub fn encrypted(address: SocketAddr, config: ClientConfig) -> Self {
        Self { address, tls: Some(Arc::new(config)) }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], None)
    }

    /// Posts a form, as to a token endpoint.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_with(path, &[], fields)
    }

    pub fn form_with(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
                    other => format!("%{other:02X}"),
                })
                .collect()
        };
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let mut headers = headers.to_vec();
        headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        self.request("POST", path, &headers, Some(&fields.join("&")))
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        self.try_request(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The answer, if the server gives one.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> std::io::Result<Answer> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body.unwrap_or(""));
        let tcp = self.connect()?;
        match &self.tls {
            None => exchange(tcp, text.as_bytes()),
            Some(config) => {
                let name = ServerName::IpAddress(self.address.ip().into());
                let connection = ClientConnection::new(Arc::clone(config), name).map_err(std::io::Error::other)?;
                exchange(StreamOwned::new(connection, tcp), text.as_bytes())
            }
        }
    }

    /// A connection to say something of one's own.
    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> std::io::Result<Answer> {
    // Who is refused before all was taken is told why.
    let sent = stream.write_all(request);
    read_answer(&mut stream).map_err(|error| sent.err().unwrap_or(error))
}

/// Reads one answer.
pub fn read_answer(stream: &mut impl Read) -> std::io::Result<Answer> {
    let cut_short = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut received = Vec::new();
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if !read_more(stream, &mut received)? {
            return Err(cut_short());
        }
    };
    let head = String::from_utf8(received[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: received.split_off(head_end + 4) };
    let length: Option<usize> = answer.header("content-length").map(|value| value.parse().unwrap());
    match length {
        Some(length) => {
            while answer.body.len() < length {
                if !read_more(stream, &mut answer.body)? {
                    return Err(cut_short());
                }
            }
        }
        None => assert!(answer.header("transfer-encoding").is_none(), "answers have a length"),
    }
    Ok(answer)
}

fn read_more(stream: &mut impl Read, received: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    let read = stream.read(&mut buffer)?;
    received.extend_from_slice(&buffer[..read]);
    Ok(read > 0)
}

/// The Web API of one organisation for the bearer of a token.
pub struct Api {
    pub client: Client,
    pub organization: String,
    pub token: String,
}

impl Api {
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, Some(body))
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request("PATCH", path, Some(body))
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_request(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn try_request(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let path = format!("/{}/api/data/v9.2/{}", self.organization, path.replace(' ', "%20"));
        let body = body.map(Value::to_string);
        self.client.try_request(method, &path, &headers, body.as_deref())
    }

    /// Who the token says one is.
    #[track_caller]
    pub fn user_id(&self) -> String {
        self.get("WhoAmI").expect(200).json()["UserId"].as_str().unwrap().to_owned()
    }

    /// Makes an account of that name; its id.
    #[track_caller]
    pub fn account(&self, name: &str) -> String {
        self.post("accounts", &serde_json::json!({ "name": name })).expect(204).created_id()
    }

    /// The names of all accounts, in order.
    #[track_caller]
    pub fn account_names(&self) -> Vec<String> {
        let answer = self.get("accounts?$select=name&$orderby=name").expect(200).json();
        answer["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}
