//! Change tracking: lists that end in a link, and what changed since.

use crate::on_both_engines;

on_both_engines! {
    a_list_ends_in_the_link_to_its_changes;
    what_changes_while_pages_are_read_is_told;
    changes_come_in_pages;
    what_was_deleted_and_made_again;
    changes_are_told_to_whom_they_may_be_told;
    changes_are_counted;
    long_changes_end_a_page_early;
    what_cannot_be_tracked_is_said;
}

mod bodies {
    use std::collections::BTreeMap;

    use serde_json::Value as Json;

    use custodia_org::Caller;

    use crate::world::{Answer, ROOT, World};

    const TRACK: (&str, &str) = ("prefer", "odata.track-changes");

    fn target(link: &Json) -> String {
        link.as_str().unwrap_or_else(|| panic!("no link: {link}")).strip_prefix(ROOT).unwrap().to_owned()
    }

    async fn ask(world: &World, caller: &Caller, target: &str, headers: &[(&str, &str)]) -> Answer {
        world.send(caller, "GET", target, headers, "").await
    }

    async fn account(world: &World, name: &str) -> String {
        world.post("accounts", &format!("{{\"name\":\"{name}\"}}")).await
    }

    async fn rename(world: &World, id: &str, name: &str) {
        let answer = world.ask("PATCH", &format!("accounts({id})"), &[], &format!("{{\"name\":\"{name}\"}}")).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    async fn delete(world: &World, id: &str) {
        assert_eq!(world.ask("DELETE", &format!("accounts({id})"), &[], "").await.status, 204);
    }

    /// Follows the links of a page to the last one, applying all to a copy; the link to later changes.
    async fn follow(
        world: &World,
        caller: &Caller,
        start: &str,
        headers: &[(&str, &str)],
        copy: &mut BTreeMap<String, String>,
    ) -> String {
        let mut next = start.to_owned();
        loop {
            let body = ask(world, caller, &next, headers).await.expect(200);
            for row in body["value"].as_array().unwrap() {
                match row["reason"].as_str() {
                    Some(reason) => {
                        assert_eq!(reason, "deleted");
                        assert_eq!(row["@odata.context"], format!("{ROOT}$metadata#accounts/$deletedEntity"));
                        copy.remove(row["id"].as_str().unwrap());
                    }
                    None => {
                        let name = row["name"].as_str().unwrap().to_owned();
                        copy.insert(row["accountid"].as_str().unwrap().to_owned(), name);
                    }
                }
            }
            match body.get("@odata.nextLink") {
                Some(link) => {
                    assert!(body.get("@odata.deltaLink").is_none(), "{body}");
                    next = target(link);
                }
                None => return target(&body["@odata.deltaLink"]),
            }
        }
    }

    async fn names(world: &World, caller: &Caller) -> BTreeMap<String, String> {
        let body = ask(world, caller, "accounts?$select=name", &[]).await.expect(200);
        let row =
            |row: &Json| (row["accountid"].as_str().unwrap().to_owned(), row["name"].as_str().unwrap().to_owned());
        body["value"].as_array().unwrap().iter().map(row).collect()
    }

    pub async fn a_list_ends_in_the_link_to_its_changes(world: World) {
        let admin = world.admin();
        let (one, two) = (account(&world, "One").await, account(&world, "Two").await);
        let first = ask(&world, &admin, "accounts?$select=name", &[TRACK]).await;
        assert_eq!(first.header("preference-applied"), Some("odata.track-changes"));
        let first = first.expect(200);
        assert_eq!(first["@odata.context"], format!("{ROOT}$metadata#accounts(name)"));
        assert_eq!(first["value"].as_array().unwrap().len(), 2);
        let link = target(&first["@odata.deltaLink"]);
        assert!(link.starts_with("accounts?$select=name&$deltatoken="), "{link}");

        // Nothing yet; with the preference or without, the link is answered.
        for headers in [&[TRACK][..], &[]] {
            let body = ask(&world, &admin, &link, headers).await.expect(200);
            assert_eq!(body["@odata.context"], format!("{ROOT}$metadata#accounts(name)/$delta"));
            assert_eq!(body["value"], serde_json::json!([]));
            assert!(body["@odata.deltaLink"].is_string());
        }

        rename(&world, &one, "Uno").await;
        rename(&world, &one, "Eins").await;
        delete(&world, &two).await;
        let three = account(&world, "Three").await;
        // What happens to other tables is not told.
        world.post("contacts", "{\"lastname\":\"Other\"}").await;
        let changes = ask(&world, &admin, &link, &[TRACK]).await.expect(200);
        let rows = changes["value"].as_array().unwrap();
        assert_eq!(rows.len(), 3, "{changes}");
        assert_eq!((&rows[0]["accountid"], &rows[0]["name"]), (&Json::from(one.as_str()), &Json::from("Eins")));
        assert!(rows[0]["@odata.etag"].is_string() && rows[0].get("revenue").is_none(), "{changes}");
        assert_eq!((&rows[1]["accountid"], &rows[1]["name"]), (&Json::from(three.as_str()), &Json::from("Three")));
        assert_eq!(rows[2]["id"], Json::from(two.as_str()));
        assert_eq!(rows[2]["reason"], "deleted");
        let later = ask(&world, &admin, &target(&changes["@odata.deltaLink"]), &[TRACK]).await.expect(200);
        assert_eq!(later["value"], serde_json::json!([]));
        // Without a selection rows are whole.
        let whole = target(&ask(&world, &admin, "accounts", &[TRACK]).await.expect(200)["@odata.deltaLink"]);
        rename(&world, &one, "Un").await;
        let changes = ask(&world, &admin, &whole, &[]).await.expect(200);
        assert_eq!(changes["@odata.context"], format!("{ROOT}$metadata#accounts/$delta"));
        assert_eq!(changes["value"][0]["creditonhold"], false, "{changes}");
    }

    pub async fn what_changes_while_pages_are_read_is_told(world: World) {
        let admin = world.admin();
        let mut ids = Vec::new();
        for number in 0..6 {
            ids.push(account(&world, &format!("N{number}")).await);
        }
        let headers = [("prefer", "odata.track-changes,odata.maxpagesize=2")];
        let first = ask(&world, &admin, "accounts?$select=name", &headers).await;
        assert_eq!(first.header("preference-applied"), Some("odata.track-changes,odata.maxpagesize=2"));
        let first = first.expect(200);
        assert!(first.get("@odata.deltaLink").is_none(), "only the last page leads to changes");
        let row =
            |row: &Json| (row["accountid"].as_str().unwrap().to_owned(), row["name"].as_str().unwrap().to_owned());
        let mut copy: BTreeMap<_, _> = first["value"].as_array().unwrap().iter().map(row).collect();
        assert_eq!(copy.len(), 2);
        // Rows of the page that was read, and of those that were not.
        let read: Vec<String> = copy.keys().cloned().collect();
        rename(&world, &read[0], "changed").await;
        delete(&world, &read[1]).await;
        for id in ids.iter().filter(|id| !read.contains(id)).take(2) {
            rename(&world, id, "changed too").await;
        }
        account(&world, "new").await;
        let link = follow(&world, &admin, &target(&first["@odata.nextLink"]), &headers, &mut copy).await;
        assert_ne!(copy, names(&world, &admin).await, "the first page was read before");
        let link = follow(&world, &admin, &link, &headers, &mut copy).await;
        assert_eq!(copy, names(&world, &admin).await);
        // A link of a list is sealed, the moment of the list in it too.
        let next = target(&first["@odata.nextLink"]).replace("trackingbegan=", "trackingbegan=9");
        ask(&world, &admin, &next, &headers).await.expect_error(400, "0x80060888");
        assert_eq!(ask(&world, &admin, &link, &headers).await.expect(200)["value"], serde_json::json!([]));
    }

    pub async fn changes_come_in_pages(world: World) {
        let admin = world.admin();
        let mut copy = BTreeMap::new();
        let link = follow(&world, &admin, "accounts?$select=name", &[TRACK], &mut copy).await;
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.push(account(&world, &format!("N{number}")).await);
        }
        rename(&world, &ids[0], "again").await;
        delete(&world, &ids[1]).await;
        for size in [1, 2, 3, 100] {
            let prefer = format!("odata.track-changes,odata.maxpagesize={size}");
            let mut copy = BTreeMap::new();
            let mut next = link.clone();
            let mut told = Vec::new();
            loop {
                let body = ask(&world, &admin, &next, &[("prefer", &prefer)]).await.expect(200);
                let rows = body["value"].as_array().unwrap().clone();
                assert!(rows.len() <= size);
                told.extend(rows.iter().filter_map(|row| row["accountid"].as_str().map(str::to_owned)));
                match body.get("@odata.nextLink") {
                    Some(link) => next = target(link),
                    None => break,
                }
            }
            told.sort();
            let whole = told.len();
            told.dedup();
            assert_eq!((whole, told.len()), (4, 4), "each row once, by {size}");
            follow(&world, &admin, &link, &[("prefer", &prefer)], &mut copy).await;
            assert_eq!(copy, names(&world, &admin).await, "by {size}");
        }
    }

    pub async fn what_was_deleted_and_made_again(world: World) {
        let admin = world.admin();
        let (kept, gone) = (account(&world, "Kept").await, account(&world, "Gone").await);
        let mut start = BTreeMap::new();
        let link = follow(&world, &admin, "accounts?$select=name", &[TRACK], &mut start).await;
        delete(&world, &kept).await;
        let again = format!("{{\"accountid\":\"{kept}\",\"name\":\"Again\"}}");
        world.post("accounts", &again).await;
        let short = account(&world, "Short").await;
        delete(&world, &short).await;
        rename(&world, &gone, "Going").await;
        delete(&world, &gone).await;
        for size in [1, 2, 10] {
            let prefer = format!("odata.maxpagesize={size}");
            let mut copy = start.clone();
            follow(&world, &admin, &link, &[("prefer", &prefer)], &mut copy).await;
            assert_eq!(copy, BTreeMap::from([(kept.clone(), "Again".to_owned())]), "by {size}");
        }
    }

    pub async fn changes_are_told_to_whom_they_may_be_told(world: World) {
        let seller = world.user("seller", &["Basic User"]).await;
        let theirs = account(&world, "Theirs").await;
        let mine = world.send(&seller, "POST", "accounts", &[], "{\"name\":\"Mine\"}").await.written_id();
        let mut copy = BTreeMap::new();
        let link = follow(&world, &seller, "accounts?$select=name,fax", &[TRACK], &mut copy).await;
        assert_eq!(copy.keys().collect::<Vec<_>>(), [&mine]);
        rename(&world, &theirs, "Canary").await;
        rename(&world, &mine, "Mine still").await;
        let gone = account(&world, "Canary").await;
        delete(&world, &gone).await;
        let answer = ask(&world, &seller, &link, &[TRACK]).await;
        assert!(!answer.text().contains("Canary") && !answer.text().contains(&theirs), "{}", answer.text());
        let rows = answer.expect(200)["value"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["name"], "Mine still");
        // Whose it was is no longer known: who may read any accounts is told that one with this id is gone.
        assert_eq!(rows[1]["id"], Json::from(gone.as_str()));

        // A row that passes to somebody else is neither shown nor told of.
        let assign = format!("{{\"ownerid@odata.bind\":\"/systemusers({})\"}}", world.seeded.administrator);
        assert_eq!(world.ask("PATCH", &format!("accounts({mine})"), &[], &assign).await.status, 204);
        let answer = ask(&world, &seller, &link, &[TRACK]).await;
        assert!(!answer.text().contains(&mine), "{}", answer.text());

        // A column that may not be read is null here too.
        let schema = world.org.schema();
        let table = schema.table_named("account").unwrap();
        world.org.secure_column(&world.admin(), table.id, table.column("fax").unwrap().id, true).await.unwrap();
        let body = "{\"name\":\"Own\",\"telephone1\":\"1\"}";
        let own = world.send(&seller, "POST", "accounts", &[], body).await.written_id();
        let fax = world.ask("PATCH", &format!("accounts({own})"), &[], "{\"fax\":\"secret\"}").await;
        assert_eq!(fax.status, 204, "{}", fax.text());
        let answer = ask(&world, &seller, &link, &[TRACK]).await;
        assert!(!answer.text().contains("secret"), "{}", answer.text());
        let row = answer.expect(200)["value"][0].clone();
        assert_eq!((&row["accountid"], &row["fax"]), (&Json::from(own.as_str()), &Json::Null));

        let nobody = world.user("nobody", &[]).await;
        for target in ["accounts", link.as_str(), &link.replace("accounts?", "accounts/$count?")] {
            ask(&world, &nobody, target, &[TRACK]).await.expect_error(403, "0x80042f09");
        }
    }

    pub async fn changes_are_counted(world: World) {
        let admin = world.admin();
        let seller = world.user("seller", &["Basic User"]).await;
        let mut copy = BTreeMap::new();
        let link = follow(&world, &admin, "accounts?$select=name", &[TRACK], &mut copy).await;
        let token = link.split("$deltatoken=").nth(1).unwrap().to_owned();
        let count = async |caller: &Caller| {
            let answer = ask(&world, caller, &format!("accounts/$count?$deltatoken={token}"), &[]).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.text().to_owned()
        };
        assert_eq!(count(&admin).await, "0");
        let one = account(&world, "One").await;
        rename(&world, &one, "Uno").await;
        let two = account(&world, "Two").await;
        delete(&world, &two).await;
        assert_eq!(count(&admin).await, "2");
        assert_eq!(count(&seller).await, "1", "the deletion alone");
    }

    pub async fn long_changes_end_a_page_early(mut world: World) {
        let admin = world.admin();
        let mut copy = BTreeMap::new();
        let link = follow(&world, &admin, "accounts?$select=name,description", &[TRACK], &mut copy).await;
        let long = "x".repeat(1_000);
        for number in 0..5 {
            let id = world.post("accounts", &format!("{{\"name\":\"N{number}\",\"description\":\"{long}\"}}")).await;
            if number == 2 {
                delete(&world, &id).await;
            }
        }
        world.limits.answer_bytes_max = 1_500;
        let first = ask(&world, &admin, &link, &[TRACK]).await.expect(200);
        assert_eq!(first["value"].as_array().unwrap().len(), 2, "{first}");
        assert!(first["@odata.nextLink"].is_string());
        follow(&world, &admin, &link, &[TRACK], &mut copy).await;
        world.limits.answer_bytes_max = 1 << 20;
        assert_eq!(copy, names(&world, &admin).await);
    }

    pub async fn what_cannot_be_tracked_is_said(world: World) {
        let admin = world.admin();
        let id = account(&world, "One").await;
        for option in [
            "$filter=name eq 'One'",
            "$orderby=name",
            "$top=1",
            "$expand=primarycontactid",
            "$count=true",
            "$apply=groupby((name))",
        ] {
            let target = format!("accounts?{option}");
            ask(&world, &admin, &target, &[TRACK]).await.expect_error(400, "0x80060888");
            let token = format!("accounts?{option}&$deltatoken=1!1!1");
            ask(&world, &admin, &token, &[]).await.expect_error(400, "0x80060888");
        }
        let related = format!("accounts({id})/contact_customer_accounts");
        ask(&world, &admin, &related, &[TRACK]).await.expect_error(400, "0x80060888");
        let untracked = world
            .org
            .schema()
            .tables()
            .iter()
            .find(|table| !table.change_tracking && !table.set_name.is_empty())
            .map(|table| table.set_name.clone())
            .unwrap();
        let message = ask(&world, &admin, &untracked, &[TRACK]).await.expect_error(400, "0x80060888");
        assert!(message.contains("Change tracking is not enabled"), "{message}");

        for token in ["", "1", "1!2", "a!b!c", "1!2!3!4", "919042!08/22/2017 08:10:44"] {
            ask(&world, &admin, &format!("accounts?$deltatoken={token}"), &[]).await.expect_error(400, "0x80060888");
        }
        let mut copy = BTreeMap::new();
        let link = follow(&world, &admin, "accounts?$select=name", &[TRACK], &mut copy).await;
        let (before, token) = link.split_once("$deltatoken=").unwrap();
        let [number, seconds, epoch] =
            token.split('!').map(|part| part.parse::<i64>().unwrap()).collect::<Vec<_>>()[..]
        else {
            panic!("{token}")
        };
        let week = 7 * 24 * 60 * 60;
        for (number, seconds, epoch, status) in [
            (number, seconds - week, epoch, 200),
            (number, seconds - week - 1, epoch, 410),
            (number + 1, seconds, epoch, 410),
            (number, seconds, epoch + 1, 410),
        ] {
            let answer = ask(&world, &admin, &format!("{before}$deltatoken={number}!{seconds}!{epoch}"), &[]).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            if status == 410 {
                answer.expect_error(410, "0x80044352");
            }
        }
    }
}
