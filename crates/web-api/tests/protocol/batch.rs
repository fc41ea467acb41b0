//! `$batch`, in the shapes that clients send, byte by byte; change sets are all or nothing.

use crate::on_both_engines;

on_both_engines! {
    parts_are_understood_in_every_shape;
    the_answer_has_the_form_that_clients_take_apart;
    a_change_set_is_stored_as_a_whole;
    a_change_set_that_fails_leaves_nothing;
    requests_refer_to_earlier_ones;
    a_batch_ends_at_the_first_failure_unless_told_otherwise;
    every_part_is_authorised_for_itself;
    a_part_may_act_for_another_user;
    what_is_no_batch_is_refused;
    a_batch_has_limits;
    requests_in_a_batch_take_their_turns;
    a_batch_does_no_more_than_there_is_memory_to_tell_of;
    a_change_set_shows_no_more_than_there_is_memory_for;
    an_answer_that_can_never_be_told_is_not_to_be_asked_for_again;
    what_was_written_and_cannot_be_shown_is_told_by_its_address;
    a_request_changes_so_many_records;
    a_request_takes_so_many_records_along;
    a_batch_that_was_refused_and_changed_nothing_has_the_status_of_that;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_stored_does_not_ask_to_be_sent_again() {
    bodies::what_may_be_stored_does_not_ask_to_be_sent_again().await;
}

mod bodies {
    use std::sync::{Arc, Mutex};

    use custodia_org::{Caller, WorkLimits};
    use custodia_schema::Guid;
    use custodia_testbed::{Cut, CutOff};
    use custodia_web_api::{AnswerMemory, NoMemory, Turn, Turns, Waiting};
    use http::{HeaderMap, Method};
    use serde_json::{Value as Json, json};

    use crate::world::{Answer, ROOT, World};

    /// One answer within the answer to a batch.
    #[derive(Debug)]
    struct Reply {
        content_id: Option<String>,
        status: u16,
        headers: HeaderMap,
        body: String,
        /// It stands in a change set's answer.
        in_change_set: bool,
    }

    impl Reply {
        fn json(&self) -> Json {
            serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
        }

        #[track_caller]
        fn error(&self, status: u16, code: &str) -> String {
            assert_eq!(self.status, status, "{}", self.body);
            assert_eq!(self.json()["error"]["code"], code, "{}", self.body);
            self.json()["error"]["message"].as_str().unwrap().to_owned()
        }

        #[track_caller]
        fn id(&self) -> String {
            let address = self.headers["odata-entityid"].to_str().unwrap();
            assert!(address.starts_with(ROOT), "{address}");
            address[address.rfind('(').unwrap() + 1..].trim_end_matches(')').to_owned()
        }
    }

    fn boundary_of(content_type: &str, prefix: &str) -> String {
        let boundary = content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
        assert!(boundary.starts_with(prefix) && !boundary.contains(['"', ';', ' ']), "{content_type}");
        assert!(Guid::try_parse(&boundary[prefix.len()..]).is_ok(), "{boundary}");
        boundary.to_owned()
    }

    fn cut<'t>(body: &'t str, boundary: &str) -> Vec<&'t str> {
        let rest = body.strip_prefix(&format!("--{boundary}")).unwrap_or_else(|| panic!("begins otherwise: {body}"));
        let inner = rest.strip_suffix(&format!("--{boundary}--\r\n"));
        let Some(inner) = inner else {
            assert_eq!(rest, "--\r\n", "an empty one");
            return Vec::new();
        };
        let delimiter = format!("--{boundary}\r\n");
        let parts = inner.split(delimiter.as_str());
        parts.map(|part| part.strip_prefix("\r\n").unwrap_or(part)).collect()
    }

    fn headers_of(text: &str) -> HeaderMap {
        let lines = text.split("\r\n").map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line}")));
        lines
            .map(|(name, value)| {
                (http::HeaderName::from_bytes(name.as_bytes()).unwrap(), http::HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    fn reply(part: &str, in_change_set: bool) -> Reply {
        let (part_headers, rest) = part.split_once("\r\n\r\n").unwrap();
        let part_headers = headers_of(part_headers);
        assert_eq!(part_headers["content-type"], "application/http");
        let (line, rest) = rest.split_once("\r\n").unwrap();
        let (headers, body) = rest.split_once("\r\n\r\n").unwrap();
        let words: Vec<_> = line.splitn(3, ' ').collect();
        assert_eq!(words[0], "HTTP/1.1");
        assert!(words[2].chars().all(|c| c.is_alphanumeric() || c == ' ') && !words[2].is_empty(), "{line}");
        assert!(!headers.contains(['{', '}']), "{headers}");
        Reply {
            content_id: part_headers.get("content-id").map(|id| id.to_str().unwrap().to_owned()),
            status: words[1].parse().unwrap(),
            headers: headers_of(headers),
            body: body.strip_suffix("\r\n").unwrap().to_owned(),
            in_change_set,
        }
    }

    /// Takes the answer to a batch apart, which checks its form.
    fn replies(answer: &Answer) -> Vec<Reply> {
        let boundary = boundary_of(answer.header("content-type").unwrap(), "batchresponse_");
        let mut replies = Vec::new();
        for part in cut(answer.text(), &boundary) {
            match part.strip_prefix("Content-Type: multipart/mixed; ") {
                None => replies.push(reply(part, false)),
                Some(set) => {
                    let (content_type, body) = set.split_once("\r\n\r\n").unwrap();
                    let boundary = boundary_of(&format!("multipart/mixed; {content_type}"), "changesetresponse_");
                    let body = body.strip_suffix("\r\n").unwrap();
                    replies.extend(cut(body, &boundary).into_iter().map(|part| reply(part, true)));
                }
            }
        }
        replies
    }

    async fn send(world: &World, caller: &Caller, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("content-type", "multipart/mixed;boundary=b")];
        all.extend_from_slice(headers);
        world.send(caller, "POST", "$batch", &all, body).await
    }

    async fn batch(world: &World, body: &str) -> Vec<Reply> {
        let answer = send(world, &world.admin(), &[], body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        replies(&answer)
    }

    fn request(head: &str, body: &str) -> String {
        format!("--b\r\nContent-Type: application/http\r\n\r\n{head}\r\n\r\n{body}\r\n")
    }

    fn operation(id: &str, head: &str, body: &str) -> String {
        let named = format!("Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}");
        format!("--c\r\n{named}\r\n\r\n{head}\r\nContent-Type: application/json\r\n\r\n{body}\r\n")
    }

    fn change_set(operations: &[String]) -> String {
        format!("--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n{}--c--\r\n", operations.concat())
    }

    async fn count(world: &World, set: &str) -> String {
        world.ask("GET", &format!("{set}/$count"), &[], "").await.text().to_owned()
    }

    /// Writes down who has a turn, and until when.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    impl Told {
        fn tell(&self, what: String) {
            self.0.lock().unwrap().push(what);
        }
    }

    impl Turns for Told {
        fn take(&self, method: &Method) -> Option<Waiting<'_>> {
            self.tell(format!("{method} waits"));
            let method = method.clone();
            Some(Box::pin(async move {
                tokio::task::yield_now().await;
                self.tell(format!("{method} begins"));
                Box::new(Ends(self.clone(), method)) as Turn<'_>
            }))
        }
    }

    /// Has so many bytes for answers, and says why there are no more.
    struct Room(Mutex<usize>, NoMemory);

    impl AnswerMemory for Room {
        fn take(&self, bytes: usize) -> Result<(), NoMemory> {
            let mut left = self.0.lock().unwrap();
            *left = left.checked_sub(bytes).ok_or(self.1)?;
            Ok(())
        }

        fn has_room(&self) -> Result<(), NoMemory> {
            if *self.0.lock().unwrap() > 0 { Ok(()) } else { Err(self.1) }
        }
    }

    struct Ends(Told, Method);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.tell(format!("{} ends", self.1));
        }
    }

    pub async fn requests_in_a_batch_take_their_turns(mut world: World) {
        let told = Told::default();
        world.turns = Box::new(told.clone());
        // One that comes alone has its turn before it gets here.
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        assert!(told.0.lock().unwrap().is_empty());
        let body = [
            request(&format!("GET accounts({id})?$select=name HTTP/1.1"), ""),
            change_set(&[operation("1", "POST accounts HTTP/1.1", r#"{"name":"B"}"#)]),
            request(&format!("DELETE accounts({id}) HTTP/1.1"), ""),
            request("GET accounts/$count HTTP/1.1", ""),
            request("GET nothing HTTP/1.1", ""),
            "--b--\r\n".to_owned(),
        ];
        let answer = send(&world, &world.admin(), &[("prefer", "odata.continue-on-error")], &body.concat()).await;
        assert_eq!(replies(&answer).iter().map(|reply| reply.status).collect::<Vec<_>>(), [200, 204, 204, 200, 404]);
        let expected = ["GET", "DELETE", "GET", "GET"];
        let each = expected.map(|method| ["waits", "begins", "ends"].map(|what| format!("{method} {what}")));
        assert_eq!(*told.0.lock().unwrap(), each.concat());
    }

    pub async fn a_batch_does_no_more_than_there_is_memory_to_tell_of(mut world: World) {
        let id = world.post("accounts", &format!("{{\"name\":\"A\",\"description\":\"{}\"}}", "x".repeat(1_000))).await;
        let read = request(&format!("GET accounts({id})?$select=description HTTP/1.1"), "");
        let path = format!("PATCH accounts({id})?$select=description HTTP/1.1");
        let patch = format!("{path}\r\nPrefer: return=representation");
        let changed = request(&patch, r#"{"name":"B"}"#);
        let goes_on = [("prefer", "odata.continue-on-error")];
        let cases = [
            // Room for two answers of a little more than 1,000 bytes: what was read and has none is refused.
            (2_500, read.repeat(3), vec![200, 200, 503]),
            // What changes something is told in any case, without the record where there is none for that.
            (2_500, [changed.repeat(3), read.clone()].concat(), vec![200, 200, 204, 503]),
            (1_500, [read.clone(), changed.clone(), read.clone()].concat(), vec![200, 204, 503]),
            // It is not begun where nothing at all is left.
            (0, changed.clone(), vec![503]),
        ];
        for (room, parts, statuses) in cases {
            world.memory = Box::new(Room(Mutex::new(room), NoMemory::Now));
            let answer = send(&world, &world.admin(), &goes_on, &format!("{parts}--b--\r\n")).await;
            let found = replies(&answer);
            assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), statuses);
            assert!(found.last().unwrap().error(503, "0x8005F103").contains("not done"));
        }
        // One that changed something is not to be sent again as a whole; one that did not is.
        for (room, parts, outer, inner) in [
            (1_000, [changed.clone(), read.clone()].concat(), 400, vec![204, 503]),
            (1_500, read.repeat(2), 503, vec![200, 503]),
            (0, changed.clone(), 503, vec![503]),
        ] {
            world.memory = Box::new(Room(Mutex::new(room), NoMemory::Now));
            let answer = send(&world, &world.admin(), &[], &format!("{parts}--b--\r\n")).await;
            assert_eq!((answer.status, answer.header("retry-after")), (outer, (outer == 503).then_some("1")));
            assert_eq!(replies(&answer).iter().map(|reply| reply.status).collect::<Vec<_>>(), inner);
        }
    }

    pub async fn a_change_set_shows_no_more_than_there_is_memory_for(mut world: World) {
        let id = world.post("accounts", &format!("{{\"name\":\"A\",\"description\":\"{}\"}}", "x".repeat(1_000))).await;
        let path = format!("PATCH accounts({id})?$select=description HTTP/1.1\r\nPrefer: return=representation");
        let operations: Vec<_> = (1..=4).map(|at| operation(&at.to_string(), &path, r#"{"name":"B"}"#)).collect();
        let body = [change_set(&operations), "--b--\r\n".to_owned()].concat();
        world.memory = Box::new(Room(Mutex::new(1_500), NoMemory::Now));
        let answer = send(&world, &world.admin(), &[], &body).await;
        let statuses = |answer: &Answer| replies(answer).iter().map(|reply| reply.status).collect::<Vec<_>>();
        // All of it is done, and what is not shown is told by its address.
        assert_eq!((answer.status, statuses(&answer)), (200, vec![200, 204, 204, 204]));
        // Nothing of it is begun where nothing is left.
        world.memory = Box::new(Room(Mutex::new(0), NoMemory::Now));
        let answer = send(&world, &world.admin(), &[], &body).await;
        assert_eq!((answer.status, statuses(&answer)), (503, vec![503]));
    }

    pub async fn an_answer_that_can_never_be_told_is_not_to_be_asked_for_again(mut world: World) {
        let body = format!("{{\"name\":\"A\",\"description\":\"{}\"}}", "x".repeat(1_000));
        let id = world.post("accounts", &body).await;
        let read = request(&format!("GET accounts({id})?$select=description HTTP/1.1"), "");
        let write = request(&format!("PATCH accounts({id}) HTTP/1.1"), r#"{"name":"B"}"#);
        let writes = change_set(&[operation("1", &format!("PATCH accounts({id}) HTTP/1.1"), r#"{"name":"B"}"#)]);
        for (room, parts, inner) in [
            (1_000, read.clone(), vec![413]),
            (1_500, read.repeat(2), vec![200, 413]),
            (0, write, vec![413]),
            (0, writes, vec![413]),
        ] {
            world.memory = Box::new(Room(Mutex::new(room), NoMemory::Ever));
            let answer = send(&world, &world.admin(), &[], &format!("{parts}--b--\r\n")).await;
            assert_eq!((answer.status, answer.header("retry-after")), (400, None));
            let found = replies(&answer);
            assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), inner);
            assert!(found.last().unwrap().error(413, "0x80060888").contains("another batch"));
        }
    }

    pub async fn what_was_written_and_cannot_be_shown_is_told_by_its_address(mut world: World) {
        let body = format!("{{\"name\":\"A\",\"description\":\"{}\"}}", "x".repeat(1_000));
        let id = world.post("accounts", &body).await;
        let parent = format!("\"parentcustomerid_account@odata.bind\":\"/accounts({id})\"");
        world.post("contacts", &format!("{{\"lastname\":\"Ann\",{parent}}}")).await;
        world.limits.answer_bytes_max = 1_000;
        let filter = format!("lastname%20ne%20'{}'", "y".repeat(3_000));
        let target = format!(
            "accounts({id})?$select=description&$expand=contact_customer_accounts($select=lastname;$filter={filter})"
        );
        // Alone this cannot be read: the link to what it would go on with is too long.
        assert_eq!(world.ask("GET", &target, &[], "").await.status, 400);
        let prefer = [("prefer", "return=representation")];
        let alone = world.ask("PATCH", &target, &prefer, r#"{"name":"B"}"#).await;
        assert_eq!((alone.status, alone.header("preference-applied")), (204, None));
        assert!(alone.header("odata-entityid").unwrap().contains(&id));
        let head = format!("PATCH {target} HTTP/1.1\r\nPrefer: return=representation");
        let body = request(&head, r#"{"telephone1":"1"}"#) + "--b--\r\n";
        assert_eq!(batch(&world, &body).await[0].status, 204);
        let found = world.get(&format!("accounts({id})?$select=name,telephone1")).await;
        assert_eq!((&found["name"], &found["telephone1"]), (&json!("B"), &json!("1")));
    }

    pub async fn parts_are_understood_in_every_shape(world: World) {
        let id = world.post("accounts", r#"{"name":"A"}"#).await;
        // As dynamics-web-api sends it: line feeds only, a blank line first, blank lines in between.
        let lines = [
            "",
            "--b",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            &format!("GET /demo/api/data/v9.2/accounts({id})?$select=name HTTP/1.1"),
            "Accept: application/json",
            "",
            "--b",
            "Content-Type: multipart/mixed;boundary=c",
            "",
            "--c",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "Content-ID: 100001",
            "",
            "POST /demo/api/data/v9.2/contacts HTTP/1.1",
            "Content-Type: application/json",
            "",
            r#"{"lastname":"L"}"#,
            "",
            "--c--",
            "",
            "--b--",
        ];
        for line_end in ["\n", "\r\n"] {
            let found = batch(&world, &lines.join(line_end)).await;
            assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), [200, 204]);
            assert_eq!(found[0].json()["name"], "A");
            assert_eq!((found[1].content_id.as_deref(), found[1].in_change_set), (Some("100001"), true));
            assert_eq!(world.get(&format!("contacts({})", found[1].id())).await["lastname"], "L");
        }
        // Addresses of every form, blanks in them, and a bare request line.
        for target in [
            format!("{ROOT}accounts({id})?$select=name"),
            format!("{}accounts({id})?$select=name", ROOT.replace("v9.2", "v9.0")),
            format!("/api/data/v9.2/accounts({id})?$select=name"),
            format!("accounts({id})?$select=name"),
            format!("/accounts({id})?$select=name"),
            format!("accounts({{{id}}})?$select= name "),
        ] {
            for version in [" HTTP/1.1", ""] {
                let found = batch(&world, &format!("{}--b--", request(&format!("GET {target}{version}"), ""))).await;
                assert_eq!((found.len(), found[0].status), (1, 200), "{target} {}", found[0].body);
                assert_eq!(found[0].json()["name"], "A");
            }
        }
        let quoted = [("content-type", "multipart/mixed; boundary=\"b\"")];
        let body = format!("a preamble\r\n{}--b--", request("GET WhoAmI HTTP/1.1", ""));
        let answer = world.send(&world.admin(), "POST", "$batch", &quoted, &body).await;
        assert_eq!(replies(&answer)[0].json()["UserId"], json!(world.seeded.administrator));
        let long = format!("GET accounts?$select=name&$filter=name eq '{}' HTTP/1.1", "x".repeat(40_000));
        assert_eq!(batch(&world, &format!("{}--b--", request(&long, ""))).await[0].json()["value"], json!([]));
    }

    pub async fn the_answer_has_the_form_that_clients_take_apart(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let body = [
            request("GET accounts?$select=name&$count=true HTTP/1.1\r\nPrefer: odata.maxpagesize=1", ""),
            request("GET accounts/$count HTTP/1.1", ""),
            change_set(&[
                operation("one", "POST accounts HTTP/1.1", r#"{"name":"B"}"#),
                operation(
                    "two",
                    &format!("PATCH accounts({account})?$select=name HTTP/1.1\r\nPrefer: return=representation"),
                    r#"{"name":"C"}"#,
                ),
                operation("three", &format!("DELETE accounts({account}) HTTP/1.1"), ""),
            ]),
            request(&format!("GET accounts({account}) HTTP/1.1"), ""),
            "--b--\r\n".to_owned(),
        ];
        let answer = send(&world, &world.admin(), &[("prefer", "odata.continue-on-error")], &body.concat()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("preference-applied"), Some("odata.continue-on-error"));
        let found = replies(&answer);
        let told: Vec<_> =
            found.iter().map(|reply| (reply.status, reply.content_id.as_deref(), reply.in_change_set)).collect();
        assert_eq!(
            told,
            [
                (200, None, false),
                (200, None, false),
                (204, Some("one"), true),
                // The record was removed by the next request before it could be shown.
                (204, Some("two"), true),
                (204, Some("three"), true),
                (404, None, false),
            ]
        );
        assert_eq!((found[0].json()["@odata.count"].as_i64(), found[1].body.as_str()), (Some(1), "1"));
        for spelled in ["OData-EntityId: ", "OData-Version: 4.0", "Content-Type: application/json", "Content-ID: one"] {
            assert!(answer.text().contains(spelled), "{spelled}");
        }
        assert_eq!(found[5].error(404, "0x80040217"), format!("account With Id = {account} Does Not Exist"));
        let empty = send(&world, &world.admin(), &[], "--b--").await;
        assert_eq!((empty.status, replies(&empty).len()), (200, 0));
    }

    pub async fn a_change_set_is_stored_as_a_whole(world: World) {
        let account = world.post("accounts", r#"{"name":"A","fax":"1"}"#).await;
        let contact = world.post("contacts", r#"{"lastname":"L"}"#).await;
        let grant = format!(
            "{{\"Target\":{{\"@odata.id\":\"accounts({account})\"}},\"PrincipalAccess\":{{\"AccessMask\":\"ReadAccess\",\
             \"Principal\":{{\"@odata.id\":\"systemusers({})\"}}}}}}",
            world.user("sam", &["Basic User"]).await.user
        );
        let body = change_set(&[
            operation("1", "POST accounts?$select=name HTTP/1.1\r\nPrefer: return=representation", r#"{"name":"B"}"#),
            operation("2", &format!("PATCH accounts({account}) HTTP/1.1\r\nIf-Match: *"), r#"{"name":"A2"}"#),
            // Each sees what those before it wrote.
            operation("3", &format!("PATCH accounts({account}) HTTP/1.1"), r#"{"telephone1":"3"}"#),
            operation("4", &format!("PUT accounts({account})/fax HTTP/1.1"), r#"{"value":"4"}"#),
            operation(
                "5",
                &format!("POST accounts({account})/contact_customer_accounts/$ref HTTP/1.1"),
                &format!("{{\"@odata.id\":\"{ROOT}contacts({contact})\"}}"),
            ),
            operation("6", "POST GrantAccess HTTP/1.1", &grant),
        ]);
        let found = batch(&world, &format!("{body}--b--")).await;
        assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), [201, 204, 204, 204, 204, 204]);
        assert_eq!(found[0].json()["name"], "B");
        assert_eq!(found[0].json()["accountid"], found[0].id().as_str());
        let stored = world.get(&format!("accounts({account})")).await;
        assert_eq!((&stored["name"], &stored["telephone1"], &stored["fax"]), (&json!("A2"), &json!("3"), &json!("4")));
        assert_eq!(world.get(&format!("contacts({contact})")).await["_parentcustomerid_value"], account.as_str());
    }

    pub async fn a_change_set_that_fails_leaves_nothing(world: World) {
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        let path = format!("accounts({account})");
        for table in ["account", "contact", "task"] {
            let table = world.org.schema().table_named(table).unwrap().id;
            world.org.audit_table(&world.admin(), table, true).await.unwrap();
        }
        let seen = operation("1", &format!("PATCH {path} HTTP/1.1"), r#"{"fax":"1"}"#);
        let unaudited = audited(&world).await;
        batch(&world, &format!("{}--b--", change_set(&[seen]))).await;
        assert_eq!(audited(&world).await, unaudited + 1, "the audit is at work");
        // Counting makes the tables, which the log tells of.
        assert_eq!((count(&world, "contacts").await, count(&world, "tasks").await), ("0".into(), "0".into()));
        let before = world.get(&path).await;
        let number = world.org.database().head().await.unwrap().number;
        let audited_before = audited(&world).await;
        let failing: [(&str, &str, u16, &str); 6] = [
            ("POST accounts HTTP/1.1", r#"{"name":"B","numberofemployees":-5}"#, 400, "0x80044330"),
            ("POST accounts HTTP/1.1", r#"{"no":"B"}"#, 400, "0x80060888"),
            ("POST accounts HTTP/1.1", &format!("{{\"accountid\":\"{account}\",\"name\":\"B\"}}"), 412, "0x80040237"),
            ("DELETE accounts(00000000-0000-0000-0000-00000000dead) HTTP/1.1", "", 404, "0x80040217"),
            (&format!("PATCH {path} HTTP/1.1\r\nIf-Match: W/\"1\""), r#"{"name":"B"}"#, 412, "0x80060882"),
            ("GET accounts HTTP/1.1", "", 400, "0x80060888"),
        ];
        for (head, body, status, code) in failing {
            for fails_last in [true, false] {
                let good = [
                    operation("g1", "POST contacts HTTP/1.1", r#"{"lastname":"L"}"#),
                    operation("g2", &format!("PATCH {path} HTTP/1.1"), r#"{"fax":"2"}"#),
                    operation("g3", "POST tasks HTTP/1.1", r#"{"subject":"T"}"#),
                ];
                let bad = [operation("bad", head, body)];
                let operations = if fails_last { [&good[..], &bad].concat() } else { [&bad[..], &good].concat() };
                let whole = format!("{}{}--b--", change_set(&operations), request("GET WhoAmI HTTP/1.1", ""));
                let answer = send(&world, &world.admin(), &[], &whole).await;
                assert_eq!(answer.status, 400, "{head}");
                let found = replies(&answer);
                // One answer for all of it, and nothing after it.
                assert_eq!((found.len(), found[0].content_id.as_deref()), (1, Some("bad")), "{head}");
                assert!(!found[0].in_change_set);
                found[0].error(status, code);
            }
        }
        assert_eq!(world.get(&path).await, before);
        assert_eq!((count(&world, "contacts").await, count(&world, "tasks").await), ("0".into(), "0".into()));
        assert_eq!(world.org.database().head().await.unwrap().number, number, "no change was logged");
        assert_eq!(audited(&world).await, audited_before, "nothing was audited");
    }

    async fn audited(world: &World) -> usize {
        world.org.audit_entries(None, 1_000, None).await.unwrap().len()
    }

    pub async fn requests_refer_to_earlier_ones(world: World) {
        let body = change_set(&[
            operation("1", "POST accounts HTTP/1.1", r#"{"name":"A"}"#),
            operation("2", "POST contacts HTTP/1.1", r#"{"lastname":"L","parentcustomerid_account@odata.bind":"$1"}"#),
            operation("3", "PUT $1/primarycontactid/$ref HTTP/1.1", r#"{"@odata.id":"$2"}"#),
            operation("4", "PATCH /$1 HTTP/1.1", r#"{"fax":"4"}"#),
            operation("5", &format!("PUT {ROOT}$2/firstname HTTP/1.1"), r#"{"value":"F"}"#),
            operation(
                "6",
                "POST tasks HTTP/1.1",
                r#"{"subject":"T","regardingobjectid_account_task@odata.bind":"/$1"}"#,
            ),
            operation("7", "POST $1/contact_customer_accounts HTTP/1.1", r#"{"lastname":"M"}"#),
        ]);
        let found = batch(&world, &format!("{body}--b--")).await;
        assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), [204; 7], "{:?}", found[0].body);
        let (account, contact) = (found[0].id(), found[1].id());
        assert_eq!(found[3].id(), account);
        let stored = world.get(&format!("accounts({account})")).await;
        assert_eq!((&stored["fax"], &stored["_primarycontactid_value"]), (&json!("4"), &json!(contact)));
        let stored = world.get(&format!("contacts({contact})")).await;
        assert_eq!((&stored["firstname"], &stored["_parentcustomerid_value"]), (&json!("F"), &json!(account)));
        let task = world.get(&format!("tasks({})", found[5].id())).await;
        assert_eq!(task["_regardingobjectid_value"], account.as_str());
        let second = world.get(&format!("contacts({})", found[6].id())).await;
        assert_eq!(second["_parentcustomerid_value"], account.as_str());
        // A record that an update named by key, and one made by it.
        let euro = "transactioncurrencies(isocurrencycode='EUR')";
        let body = change_set(&[
            operation(
                "c",
                &format!("PATCH {euro} HTTP/1.1"),
                r#"{"currencyname":"Euro","currencysymbol":"€","currencyprecision":2,"exchangerate":0.9}"#,
            ),
            operation("a", "POST accounts HTTP/1.1", r#"{"name":"E","transactioncurrencyid@odata.bind":"$c"}"#),
            operation("n", "PUT $c/currencyname HTTP/1.1", r#"{"value":"Euro 2"}"#),
        ]);
        let found = batch(&world, &format!("{body}--b--")).await;
        assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), [204; 3], "{}", found[0].body);
        assert_eq!(world.get(euro).await["currencyname"], "Euro 2");
        // Not to later ones, not to those that made no record, not to others' change sets, not twice the same name.
        let wrong = [
            vec![
                operation("2", "PATCH $1 HTTP/1.1", r#"{"fax":"4"}"#),
                operation("1", "POST accounts HTTP/1.1", r#"{"name":"A"}"#),
            ],
            vec![operation(
                "2",
                "POST contacts HTTP/1.1",
                r#"{"lastname":"L","parentcustomerid_account@odata.bind":"$1"}"#,
            )],
            vec![
                operation("1", &format!("DELETE contacts({contact}) HTTP/1.1"), ""),
                operation("2", "PATCH $1 HTTP/1.1", r#"{"fax":"4"}"#),
            ],
            vec![
                operation("1", "POST accounts HTTP/1.1", r#"{"name":"A"}"#),
                operation("1", "POST accounts HTTP/1.1", r#"{"name":"A"}"#),
            ],
        ];
        for operations in wrong {
            let first = change_set(&[operation("1", "POST accounts HTTP/1.1", r#"{"name":"W"}"#)]);
            let answer = send(&world, &world.admin(), &[], &format!("{first}{}--b--", change_set(&operations))).await;
            let found = replies(&answer);
            assert_eq!((answer.status, found.len(), found[0].status), (400, 2, 204), "{}", answer.text());
            found[1].error(400, "0x80060888");
        }
    }

    pub async fn a_batch_ends_at_the_first_failure_unless_told_otherwise(world: World) {
        let body = [
            request("POST accounts HTTP/1.1", r#"{"name":"A"}"#),
            request("GET accounts(00000000-0000-0000-0000-00000000dead) HTTP/1.1", ""),
            change_set(&[operation("1", "POST accounts HTTP/1.1", r#"{"name":1}"#)]),
            "--b\r\nContent-Type: text/plain\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n".to_owned(),
            request("nonsense", ""),
            request("POST $batch HTTP/1.1", "{}"),
            request("POST accounts HTTP/1.1", r#"{"name":"B"}"#),
            "--b--".to_owned(),
        ]
        .concat();
        let statuses = |answer: &Answer| replies(answer).iter().map(|reply| reply.status).collect::<Vec<_>>();
        let answer = send(&world, &world.admin(), &[], &body).await;
        assert_eq!((answer.status, statuses(&answer)), (400, vec![204, 404]));
        assert_eq!(answer.header("preference-applied"), None);
        assert_eq!(count(&world, "accounts").await, "1");
        for prefer in ["odata.continue-on-error", "continue-on-error=true, odata.maxpagesize=5"] {
            let answer = send(&world, &world.admin(), &[("prefer", prefer)], &body).await;
            assert_eq!((answer.status, statuses(&answer)), (200, vec![204, 404, 400, 400, 400, 400, 204]));
        }
        assert_eq!(count(&world, "accounts").await, "5");
        let answer = send(&world, &world.admin(), &[("prefer", "odata.continue-on-error=false")], &body).await;
        assert_eq!(answer.status, 400);
    }

    pub async fn every_part_is_authorised_for_itself(world: World) {
        let foreign = world.post("accounts", r#"{"name":"A"}"#).await;
        let reader = world.user("rita", &["Basic User"]).await;
        let parts = [
            request(&format!("GET accounts({foreign}) HTTP/1.1"), ""),
            request("GET accounts?$select=name HTTP/1.1", ""),
            request("GET accounts/$count HTTP/1.1", ""),
            request(&format!("PATCH accounts({foreign}) HTTP/1.1"), r#"{"name":"B"}"#),
            request(&format!("DELETE accounts({foreign}) HTTP/1.1"), ""),
            change_set(&[
                operation("1", "POST accounts HTTP/1.1", r#"{"name":"Mine"}"#),
                operation("2", &format!("PATCH accounts({foreign}) HTTP/1.1"), r#"{"name":"B"}"#),
            ]),
            "--b--".to_owned(),
        ];
        let answer = send(&world, &reader, &[("prefer", "odata.continue-on-error")], &parts.concat()).await;
        let found = replies(&answer);
        assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), [403, 200, 200, 403, 403, 403]);
        assert_eq!((found[1].json()["value"].as_array().unwrap().len(), found[2].body.as_str()), (0, "0"));
        assert_eq!(found[5].content_id.as_deref(), Some("2"));
        found[5].error(403, "0x80040220");
        assert!(!answer.text().contains("\"A\""), "{}", answer.text());
        assert_eq!(
            (world.get(&format!("accounts({foreign})")).await["name"].as_str(), count(&world, "accounts").await),
            (Some("A"), "1".into())
        );

        // Rights that an earlier request of the same change set gave or took count for the next.
        let target = format!("\"Target\":{{\"@odata.id\":\"accounts({foreign})\"}}");
        let principal = format!("{{\"@odata.id\":\"systemusers({})\"}}", reader.user);
        let grant = format!(
            "{{{target},\"PrincipalAccess\":{{\"AccessMask\":\"ReadAccess, WriteAccess\",\"Principal\":{principal}}}}}"
        );
        let revoke = format!("{{{target},\"Revokee\":{principal}}}");
        let as_reader = |head: &str| format!("{head} HTTP/1.1\r\nMSCRMCallerID: {}", reader.user);
        let patch = as_reader(&format!("PATCH accounts({foreign})"));
        let found = batch(
            &world,
            &format!(
                "{}--b--",
                change_set(&[
                    operation("1", "POST GrantAccess HTTP/1.1", &grant),
                    operation("2", &patch, r#"{"name":"By the reader"}"#),
                    operation("3", "POST RevokeAccess HTTP/1.1", &revoke),
                ])
            ),
        )
        .await;
        assert_eq!(found.iter().map(|reply| reply.status).collect::<Vec<_>>(), [204; 3], "{}", found[0].body);
        let body = change_set(&[
            operation("1", "POST GrantAccess HTTP/1.1", &grant),
            operation("2", "POST RevokeAccess HTTP/1.1", &revoke),
            operation("3", &patch, r#"{"name":"Too late"}"#),
        ]);
        let answer = send(&world, &world.admin(), &[], &format!("{body}--b--")).await;
        replies(&answer)[0].error(403, "0x80040220");
        let stored = world.get(&format!("accounts({foreign})")).await;
        assert_eq!(
            (stored["name"].as_str(), &stored["_modifiedby_value"]),
            (Some("By the reader"), &json!(reader.user))
        );
        // A role that is taken away counts as much as a share.
        let writer = world.user("wim", &["Salesperson"]).await;
        let role = format!("roles?$filter=name eq 'Salesperson' and _businessunitid_value eq {}", world.seeded.unit);
        let role = world.get(&role).await["value"][0]["roleid"].as_str().unwrap().to_owned();
        let taken = format!("DELETE systemusers({})/systemuserroles_association({role})/$ref HTTP/1.1", writer.user);
        let body = change_set(&[
            operation("1", &taken, ""),
            operation("2", &format!("POST accounts HTTP/1.1\r\nMSCRMCallerID: {}", writer.user), r#"{"name":"X"}"#),
        ]);
        let answer = send(&world, &world.admin(), &[], &format!("{body}--b--")).await;
        replies(&answer)[0].error(403, "0x80042f09");
        let made = world.send(&writer, "POST", "accounts", &[], r#"{"name":"X"}"#).await;
        assert_eq!(made.status, 204, "the role is still there: {}", made.text());
    }

    pub async fn a_part_may_act_for_another_user(world: World) {
        let seller = world.user("sam", &["Salesperson"]).await;
        let for_seller = format!("POST accounts HTTP/1.1\r\nMSCRMCallerID: {}", seller.user);
        let for_nobody = "POST accounts HTTP/1.1\r\nMSCRMCallerID: ";
        let body = [
            request(&for_seller, r#"{"name":"A"}"#),
            request("POST accounts HTTP/1.1", r#"{"name":"B"}"#),
            request(for_nobody, r#"{"name":"C"}"#),
            change_set(&[
                operation("1", &for_seller, r#"{"name":"D"}"#),
                operation("2", for_nobody, r#"{"name":"E"}"#),
            ]),
            "--b--".to_owned(),
        ]
        .concat();
        let made_by = async |found: &[Reply]| {
            let mut makers = Vec::new();
            for reply in found {
                let row = world.get(&format!("accounts({})", reply.id())).await;
                makers
                    .push((row["_createdby_value"] == json!(seller.user), !row["_createdonbehalfby_value"].is_null()));
            }
            makers
        };
        let (own, other) = ((false, false), (true, true));
        assert_eq!(made_by(&batch(&world, &body).await).await, [other, own, own, other, own]);
        // What the batch says counts where a part says nothing.
        let acting = Caller { acting_for: Some(seller.user), ..world.admin() };
        let answer = send(&world, &acting, &[("mscrmcallerid", &seller.user.to_string())], &body).await;
        assert_eq!(made_by(&replies(&answer)).await, [other, other, own, other, own]);
        let stranger = request("GET WhoAmI HTTP/1.1\r\nAuthorization: Bearer another", "");
        let answer = send(&world, &seller, &[("authorization", "Bearer own")], &format!("{stranger}--b--")).await;
        replies(&answer)[0].error(400, "0x80060888");
        let forbidden = request(&format!("GET WhoAmI HTTP/1.1\r\nMSCRMCallerID: {}", world.seeded.administrator), "");
        let answer = send(&world, &seller, &[], &format!("{forbidden}--b--")).await;
        assert_eq!(replies(&answer)[0].status, 403);
    }

    pub async fn what_is_no_batch_is_refused(world: World) {
        let good = format!("{}--b--", request("POST accounts HTTP/1.1", r#"{"name":"A"}"#));
        let mixed = "multipart/mixed;boundary=b";
        let cases: [(&str, &str, &str, u16); 8] = [
            ("GET", mixed, &good, 405),
            ("POST", "application/json", r#"{"requests":[]}"#, 415),
            ("POST", "multipart/mixed", &good, 400),
            ("POST", "multipart/mixed;boundary=other", &good, 400),
            ("POST", mixed, "", 400),
            ("POST", mixed, "--b\r\n", 400),
            ("POST", mixed, good.trim_end_matches("--b--"), 400),
            ("POST", mixed, "--b\r\nno header here\r\n\r\n--b--", 400),
        ];
        for (method, content_type, body, status) in cases {
            let answer = world.ask(method, "$batch", &[("content-type", content_type)], body).await;
            assert_eq!(answer.status, status, "{body:?} {}", answer.text());
            assert!(answer.json()["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
        assert_eq!(count(&world, "accounts").await, "0");
        let elsewhere = [
            ("GET https://crm.example:8443/other/api/data/v9.2/accounts HTTP/1.1", 400),
            ("GET https://elsewhere.example/demo/api/data/v9.2/accounts HTTP/1.1", 400),
            ("GET /other/api/data/v9.2/accounts HTTP/1.1", 400),
            ("GET accounts HTTP/1.1\r\nOData-Version: 3.0", 400),
        ];
        for (head, status) in elsewhere {
            let answer = send(&world, &world.admin(), &[], &format!("{}--b--", request(head, ""))).await;
            assert_eq!(replies(&answer)[0].status, status, "{head} {}", answer.text());
        }
        // A body that is packed is taken for nothing else, wherever that is said.
        let made = r#"{"name":"A"}"#;
        let head = "POST accounts HTTP/1.1\r\nContent-Encoding: gzip";
        let outside =
            request("POST accounts HTTP/1.1", made).replacen("http\r\n", "http\r\nContent-Encoding: br\r\n", 1);
        for packed in [request(head, made), change_set(&[operation("1", head, made)]), outside] {
            let answer = send(&world, &world.admin(), &[], &format!("{packed}--b--")).await;
            let message = replies(&answer)[0].error(415, "0x80048d19");
            assert!(message.starts_with("Bodies with Content-Encoding are not taken; send it without '"), "{message}");
        }
        assert_eq!(count(&world, "accounts").await, "0");
        let plain = request("POST accounts HTTP/1.1\r\nContent-Encoding: Identity", made);
        assert_eq!(batch(&world, &format!("{plain}--b--")).await[0].status, 204);
        let encoded = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: base64\r\n\r\nR0VU\r\n--b--";
        replies(&send(&world, &world.admin(), &[], encoded).await)[0].error(400, "0x80060888");
    }

    pub async fn a_batch_that_was_refused_and_changed_nothing_has_the_status_of_that(world: World) {
        let refused = "POST WinQuote HTTP/1.1";
        for part in [request(refused, "{}"), change_set(&[operation("1", refused, "{}")])] {
            let answer = send(&world, &world.admin(), &[], &format!("{part}--b--\r\n")).await;
            assert_eq!((answer.status, replies(&answer)[0].status), (501, 501), "{part}");
            let written = request("POST accounts HTTP/1.1", r#"{"name":"A"}"#);
            let answer = send(&world, &world.admin(), &[], &format!("{written}{part}--b--\r\n")).await;
            assert_eq!((answer.status, replies(&answer)[1].status), (400, 501), "{part}");
        }
    }

    pub async fn what_may_be_stored_does_not_ask_to_be_sent_again() {
        let url = custodia_testbed::postgres_url().expect("PostgreSQL is needed for this test");
        let url = custodia_testbed::with_database(&url, &custodia_testbed::fresh_database_name());
        let way = CutOff::of(&url).unwrap();
        let limits = custodia_store::Limits { silence_ms: 500, stalled_ms: 500, ..Default::default() };
        let world = World::at(Some(way.url().to_owned()), limits).await;
        world.post("accounts", r#"{"name":"first"}"#).await;
        let admin = world.admin();
        let post = |name: &str| request("POST accounts HTTP/1.1", &format!("{{\"name\":\"{name}\"}}"));
        for (cut, status) in [(Cut::AfterCommit, 204), (Cut::AfterCommitAndAway, 503)] {
            let outer = if status == 204 { 200 } else { 400 };
            way.at_next_commit(cut);
            let answer = world.send(&admin, "POST", "accounts", &[], &format!(r#"{{"name":"alone {cut:?}"}}"#)).await;
            assert_eq!((answer.status, answer.header("retry-after"), way.is_done()), (status, None, true));
            way.let_in();
            way.at_next_commit(cut);
            let both = [post(&format!("one {cut:?}")), post(&format!("two {cut:?}"))].concat();
            let answer = send(&world, &admin, &[], &format!("{both}--b--\r\n")).await;
            let found = replies(&answer);
            assert_eq!((answer.status, answer.header("retry-after"), found[0].status), (outer, None, status));
            assert_eq!(found.len(), if status == 204 { 2 } else { 1 }, "nothing is begun after what may be done");
            way.let_in();
            way.at_next_commit(cut);
            let set = change_set(&[operation("1", "POST accounts HTTP/1.1", &format!(r#"{{"name":"set {cut:?}"}}"#))]);
            let answer = send(&world, &admin, &[], &format!("{set}--b--\r\n")).await;
            assert_eq!((answer.status, answer.header("retry-after")), (outer, None));
            assert_eq!(replies(&answer)[0].status, status);
            way.let_in();
        }
        // All were stored, each once.
        let stored = world.get("accounts?$select=name&$orderby=name").await;
        let names: Vec<_> =
            stored["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "alone AfterCommit",
                "alone AfterCommitAndAway",
                "first",
                "one AfterCommit",
                "one AfterCommitAndAway",
                "set AfterCommit",
                "set AfterCommitAndAway",
                "two AfterCommit",
            ]
        );
        // What the server never got is told to come again.
        way.at_next_commit(Cut::BeforeCommit);
        let answer = send(&world, &admin, &[], &format!("{}--b--\r\n", post("never"))).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(count(&world, "accounts").await, "8");
    }

    pub async fn a_request_changes_so_many_records(mut world: World) {
        world.limit(WorkLimits { change_records: 5, ..WorkLimits::default() });
        let many = "accounts/Microsoft.Dynamics.CRM.CreateMultiple";
        let targets = |count: usize| format!(r#"{{"Targets":[{}]}}"#, vec![r#"{"name":"A"}"#; count].join(","));
        let nested = |count: usize| {
            let contacts = vec![r#"{"lastname":"L"}"#; count].join(",");
            format!(r#"{{"name":"A","contact_customer_accounts":[{contacts}]}}"#)
        };
        let create = format!("POST {many} HTTP/1.1");
        let make = |id: &str, head: &str, body: &str| operation(id, head, body);
        // What goes over it in a change set is named; each of them is within the limit by itself.
        let fitting = [make("1", &create, &targets(3)), make("2", "POST accounts HTTP/1.1", &nested(1))];
        let over = [make("1", &create, &targets(3)), make("2", "POST accounts HTTP/1.1", &nested(2))];
        let answer = send(&world, &world.admin(), &[], &format!("{}--b--", change_set(&over))).await;
        let found = replies(&answer);
        assert_eq!((found.len(), found[0].content_id.as_deref()), (1, Some("2")));
        assert!(found[0].error(400, "0x80040203").contains("at most 5 records"));
        // The same in one action, and of records within one.
        let admin = world.admin();
        let post = async |path: &str, body: &str| world.send(&admin, "POST", path, &[], body).await;
        post(many, &targets(6)).await.expect_error(400, "0x80040203");
        post("accounts", &nested(5)).await.expect_error(400, "0x80040203");
        assert_eq!((count(&world, "accounts").await, count(&world, "contacts").await), ("0".into(), "0".into()));
        assert_eq!(batch(&world, &format!("{}--b--", change_set(&fitting))).await.len(), 2);
        post(many, &targets(5)).await.expect(200);
        post("accounts", &nested(4)).await.expect(204);
        assert_eq!((count(&world, "accounts").await, count(&world, "contacts").await), ("10".into(), "5".into()));
    }

    pub async fn a_request_takes_so_many_records_along(mut world: World) {
        let owner = world.user("new", &["Salesperson"]).await.user;
        let contacts = |of: &str| {
            format!(r#"{{"name":"{of}","contact_customer_accounts":[{{"lastname":"1"}},{{"lastname":"2"}}]}}"#)
        };
        let (one, two) = (world.post("accounts", &contacts("A")).await, world.post("accounts", &contacts("B")).await);
        world.limit(WorkLimits { cascade_rows: 3, ..WorkLimits::default() });
        let give = format!(r#"{{"ownerid@odata.bind":"systemusers({owner})"}}"#);
        let both = |method: &str, body: &str| {
            let head = |id: &str| format!("{method} accounts({id}) HTTP/1.1");
            change_set(&[operation("1", &head(&one), body), operation("2", &head(&two), body)])
        };
        // Each has room for what goes with it, both together do not.
        for (method, body) in [("PATCH", give.as_str()), ("DELETE", "")] {
            let answer = send(&world, &world.admin(), &[], &format!("{}--b--", both(method, body))).await;
            let found = replies(&answer);
            assert_eq!((found.len(), found[0].content_id.as_deref()), (1, Some("2")), "{method}");
            assert!(found[0].error(400, "0x80040203").contains("more than 3"), "{method}");
        }
        let given = world.ask("GET", &format!("contacts/$count?$filter=_ownerid_value eq {owner}"), &[], "").await;
        assert_eq!((given.text(), count(&world, "contacts").await.as_str()), ("0", "4"));
        world.ask("PATCH", &format!("accounts({one})"), &[], &give).await.expect(204);
        for id in [&one, &two] {
            world.ask("DELETE", &format!("accounts({id})"), &[], "").await.expect(204);
        }
        assert_eq!(count(&world, "contacts").await, "0");
    }

    pub async fn a_batch_has_limits(mut world: World) {
        let one = request("GET WhoAmI HTTP/1.1", "");
        let body = format!("{}--b--", one.repeat(1_000));
        assert_eq!(batch(&world, &body).await.len(), 1_000);
        let answer = send(&world, &world.admin(), &[], &format!("{}--b--", one.repeat(1_001))).await;
        assert!(answer.expect_error(400, "0x80060888").contains("1000 operations"));
        // Those of change sets count too: nothing of the one that is too much is done.
        let operations: Vec<_> =
            (0..401).map(|n| operation(&n.to_string(), "POST accounts HTTP/1.1", r#"{"name":"A"}"#)).collect();
        let body = format!("{}{}--b--", one.repeat(600), change_set(&operations));
        let answer = send(&world, &world.admin(), &[], &body).await;
        let found = replies(&answer);
        assert_eq!((found.len(), found[600].content_id.as_deref()), (601, Some("400")));
        assert!(found[600].error(400, "0x80060888").contains("1000 operations"));
        // An answer that is full takes no more, and says so.
        world.limits.answer_bytes_max = 1_500;
        let made = request("POST accounts HTTP/1.1\r\nPrefer: return=representation", r#"{"name":"A"}"#);
        let answer = send(&world, &world.admin(), &[], &format!("{}--b--", made.repeat(3))).await;
        let found = replies(&answer);
        assert_eq!((answer.status, found.len(), found[0].status), (400, 2, 201));
        found[1].error(413, "0x80060888");
        assert_eq!(count(&world, "accounts").await, "1");
    }
}
