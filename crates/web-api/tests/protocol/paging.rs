//! Pages and the links between them.

use crate::on_both_engines;

on_both_engines! {
    pages_joined_are_the_list;
    a_total_holds_over_pages;
    links_carry_everything_and_are_sealed;
    pages_found_by_counting_are_of_any_size;
    links_of_counted_pages_are_sealed;
    links_of_full_answers_are_bounded;
    pages_of_long_texts_end_early;
}

mod bodies {
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    async fn accounts(world: &World, count: usize) {
        for number in 0..count {
            // Ties and nulls among the sort keys.
            let employees = match number % 4 {
                0 => "null".to_owned(),
                rest => (rest / 2).to_string(),
            };
            let city = ["Ünion", "union", "A&B <c> \\\"d\\\"", ""][number % 4];
            let body =
                format!("{{\"name\":\"N{number:02}\",\"numberofemployees\":{employees},\"address1_city\":\"{city}\"}}");
            world.post("accounts", &body).await;
        }
    }

    fn ids(body: &Json) -> Vec<String> {
        body["value"].as_array().unwrap().iter().map(|row| row["accountid"].as_str().unwrap().to_owned()).collect()
    }

    /// Follows the links from a target to the end, `size` rows at a time.
    async fn walk(world: &World, target: &str, size: usize) -> Vec<String> {
        let prefer = format!("odata.maxpagesize={size}");
        let mut target = target.to_owned();
        let mut all = Vec::new();
        loop {
            let answer = world.ask("GET", &target, &[("prefer", &prefer)], "").await;
            assert_eq!(answer.header("preference-applied"), Some(prefer.as_str()));
            let body = answer.expect(200);
            all.extend(ids(&body));
            match body["@odata.nextLink"].as_str() {
                None => return all,
                Some(link) => {
                    assert_eq!(ids(&body).len(), size, "only a full page goes on");
                    target = link.strip_prefix(ROOT).unwrap().to_owned();
                }
            }
        }
    }

    pub async fn pages_joined_are_the_list(world: World) {
        accounts(&world, 11).await;
        let orders = [
            "",
            "$orderby=name",
            "$orderby=name desc",
            "$orderby=numberofemployees",
            "$orderby=numberofemployees desc,address1_city",
            "$orderby=address1_city desc,numberofemployees&$filter=name ne 'N03'",
            "$orderby=createdon,statecode",
            "$orderby=_primarycontactid_value,creditonhold desc",
            "$orderby=primarycontactid/fullname,name",
        ];
        for order in orders {
            let target = format!("accounts?$select=accountid&{order}");
            let whole = ids(&world.get(&target).await);
            assert!(whole.len() >= 10);
            for size in [1, 3, 5, 11, 12] {
                assert_eq!(walk(&world, &target, size).await, whole, "{order} by {size}");
            }
        }
    }

    pub async fn a_total_holds_over_pages(mut world: World) {
        accounts(&world, 7).await;
        // A page is as long as the service lets it be when the caller names no size.
        world.limits.page_rows_max = 3;
        let first = world.get("accounts?$select=name&$orderby=name&$top=5").await;
        assert_eq!(ids(&first).len(), 3);
        let link = first["@odata.nextLink"].as_str().unwrap().strip_prefix(ROOT).unwrap().to_owned();
        let second = world.get(&link).await;
        assert_eq!(ids(&second).len(), 2);
        assert!(second.get("@odata.nextLink").is_none(), "{second}");
        let exact = world.get("accounts?$select=name&$top=3").await;
        assert!(exact.get("@odata.nextLink").is_none());
        // Who asks for pages gets all of them.
        let paged = world.ask("GET", "accounts?$select=name&$top=2", &[("prefer", "odata.maxpagesize=3")], "").await;
        assert_eq!(ids(&paged.json()).len(), 3);
        assert!(paged.json().get("@odata.nextLink").is_some());
    }

    /// Follows the links from a target to the end: how many rows each page has, and all rows.
    async fn lengths(world: &World, target: &str) -> (Vec<usize>, Vec<String>) {
        let (mut target, mut lengths, mut all) = (target.to_owned(), Vec::new(), Vec::new());
        loop {
            let body = world.get(&target).await;
            lengths.push(ids(&body).len());
            all.extend(ids(&body));
            match body["@odata.nextLink"].as_str() {
                None => return (lengths, all),
                Some(link) => target = link.strip_prefix(ROOT).unwrap().to_owned(),
            }
        }
    }

    /// One question in each language whose pages are found by counting: what it asks for, without any answer's `$top`.
    async fn counted(world: &World) -> Vec<String> {
        let linked = "<fetch><entity name='account'><attribute name='name'/>\
             <link-entity name='systemuser' from='systemuserid' to='owninguser' alias='u'><attribute name='fullname'/></link-entity>\
             <order entityname='u' attribute='fullname'/></entity></fetch>";
        let groups = "<fetch aggregate='true'><entity name='account'>\
             <attribute name='name' alias='name' groupby='true'/></entity></fetch>";
        // It begins with its second page, and by its order could go on without counting.
        let later = "<fetch page='2' count='1'><entity name='account'><attribute name='name'/>\
             <order attribute='name'/></entity></fetch>";
        let mut targets = vec![
            "accounts?$apply=groupby((name))".to_owned(),
            "accounts?sql=SELECT name FROM account ORDER BY name".to_owned(),
            "accounts?sql=SELECT DISTINCT name FROM account".to_owned(),
            "accounts?sql=SELECT name FROM account GROUP BY name".to_owned(),
        ];
        for xml in [linked, groups, later] {
            let view = json!({"name": "All", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
            let view = world.post("userqueries", &view.to_string()).await;
            targets.push(format!("accounts?userQuery={view}"));
        }
        targets
    }

    fn next(page: &Json) -> Option<String> {
        page["@odata.nextLink"].as_str().map(|link| link.strip_prefix(ROOT).unwrap().to_owned())
    }

    /// The names on all pages of a target, in order, and how many pages there are. One page is asked for in each of the sizes, the
    /// rest without any.
    async fn names(world: &World, target: &str, sizes: &[usize]) -> (usize, Vec<String>) {
        let (mut target, mut pages, mut names) = (target.to_owned(), 0, Vec::new());
        loop {
            let prefer = sizes.get(pages).map(|size| format!("odata.maxpagesize={size}"));
            let headers: Vec<(&str, &str)> = prefer.iter().map(|prefer| ("prefer", prefer.as_str())).collect();
            let page = world.ask("GET", &target, &headers, "").await.expect(200);
            names.extend(page["value"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
            pages += 1;
            match next(&page) {
                Some(link) => target = link,
                None => {
                    names.sort();
                    return (pages, names);
                }
            }
        }
    }

    pub async fn pages_found_by_counting_are_of_any_size(mut world: World) {
        for number in 0..9 {
            let account = json!({"name": format!("N{number}"), "description": "x".repeat(1_000)});
            world.post("accounts", &account.to_string()).await;
        }
        let all: Vec<String> = (0..9).map(|number| format!("N{number}")).collect();
        for target in counted(&world).await {
            // A view that says how many rows its pages have goes on as it says, and this one leaves its first page out.
            let (expected, pages) = match names(&world, &target, &[]).await {
                (1, names) => (names, [4, 2, 3]),
                (pages, names) => (names, [pages; 3]),
            };
            assert!(all.ends_with(&expected) && expected.len() >= 8, "{target}: {expected:?}");
            for (sizes, pages) in [&[4, 1, 3][..], &[2], &[1, 2]].into_iter().zip(pages) {
                let found = names(&world, &target, sizes).await;
                assert_eq!(found, (pages, expected.clone()), "{target} by {sizes:?}");
            }
        }
        // As many as were asked for at all, whatever sizes they come in.
        let top = "accounts?sql=SELECT TOP 6 name FROM account ORDER BY name";
        assert_eq!(names(&world, top, &[4, 1]).await, (3, all[..6].to_vec()));
        // Who asks for pages goes through all of them, also after the first.
        let top = "accounts?$apply=groupby((name))&$top=3";
        assert_eq!(names(&world, top, &[4, 2]).await, (3, all.clone()));
        assert_eq!(names(&world, top, &[]).await, (1, all[..3].to_vec()));
        world.limits.page_rows_max = 2;
        assert_eq!(names(&world, top, &[]).await, (2, all[..3].to_vec()));
        // A page that is full of bytes ends early, and the next one begins where it did.
        world.limits.page_rows_max = 5_000;
        world.limits.answer_bytes_max = 2_500;
        let long = "accounts?sql=SELECT name, description FROM account ORDER BY name";
        assert_eq!(names(&world, long, &[]).await, (3, all.clone()));
        let xml = "<fetch page='2' count='4'><entity name='account'><attribute name='name'/><attribute name='description'/>\
             <order attribute='name'/></entity></fetch>";
        let view = json!({"name": "All", "returnedtypecode": "account", "fetchxml": xml, "querytype": 0});
        let view = world.post("userqueries", &view.to_string()).await;
        assert_eq!(names(&world, &format!("accounts?userQuery={view}"), &[]).await, (2, all[4..].to_vec()));
        // Who counts pages himself has no way to begin within one.
        let counted = world.ask("GET", &format!("accounts?fetchXml={xml}"), &[], "").await;
        assert!(counted.expect_error(400, "0x8004111A").contains("'count'"));
    }

    pub async fn links_of_counted_pages_are_sealed(world: World) {
        for number in 0..5 {
            world.post("accounts", &format!("{{\"name\":\"N{number}\"}}")).await;
        }
        let seller = world.user("sam", &["Salesperson"]).await;
        let size = [("prefer", "odata.maxpagesize=1")];
        for target in counted(&world).await {
            let first = world.ask("GET", &target, &size, "").await.expect(200);
            let link = next(&first).unwrap();
            assert!(link.contains("before%25253D%252522"), "{link}");
            let second = world.ask("GET", &link, &size, "").await.expect(200);
            assert_ne!(second["value"], first["value"], "{target}");
            // Not another place, not another caller, not another query, not another collection.
            let code = if target.contains("userQuery") { "0x8004111A" } else { "0x80060888" };
            for (from, to) in
                [("page%25253D%252522", "page%25253D%2525221"), ("before%25253D%252522", "before%25253D%2525221")]
            {
                let moved = link.replace(from, to);
                assert_ne!(moved, link);
                let message = world.ask("GET", &moved, &size, "").await.expect_error(400, code);
                assert!(message.contains("belongs to another query or another user"), "{message}");
            }
            if !target.contains("userQuery") {
                world.send(&seller, "GET", &link, &size, "").await.expect_error(400, code);
                let other = link.replacen("name", "accountnumber", 1);
                assert_ne!(other, link);
                world.ask("GET", &other, &size, "").await.expect_error(400, code);
            }
            let token = link.split_once("$skiptoken=").unwrap().1;
            let elsewhere = format!("accounts?$apply=groupby((statecode))&$skiptoken={token}");
            world.ask("GET", &elsewhere, &size, "").await.expect_error(400, "0x80060888");
            let unsealed = format!("{target}&$skiptoken=%3Ccookie pagenumber=%222%22 istracking=%22False%22 /%3E");
            let message = world.ask("GET", &unsealed, &size, "").await.expect_error(400, "0x80060888");
            assert!(message.contains("malformed"), "{message}");
            world.ask("GET", &link, &size, "").await.expect(200);
        }
    }

    pub async fn pages_of_long_texts_end_early(mut world: World) {
        for number in 0..5 {
            let body = format!("{{\"name\":\"N{number}\",\"description\":\"{}\"}}", "x".repeat(1_000));
            let account = world.post("accounts", &body).await;
            let parent = format!("\"parentcustomerid_account@odata.bind\":\"/accounts({account})\"");
            for name in ["Ann", "Bob"] {
                world.post("contacts", &format!("{{\"lastname\":\"{name}\",{parent}}}")).await;
            }
        }
        let whole = ids(&world.get("accounts?$select=name&$orderby=name").await);
        world.limits.answer_bytes_max = 2_000;
        let target = "accounts?$select=name,description&$orderby=name";
        assert_eq!(lengths(&world, target).await, (vec![2, 2, 1], whole.clone()));
        // A list that would have ended on this page goes on, to as many rows as were asked for.
        let top = lengths(&world, &format!("{target}&$top=4")).await;
        assert_eq!(top, (vec![2, 2], whole[..4].to_vec()));

        // Collections within records: what does not fit any more is to be asked for by itself.
        world.limits.answer_bytes_max = 3_500;
        let expanded = world.get(&format!("{target}&$expand=contact_customer_accounts($select=lastname)")).await;
        let mut found = Vec::new();
        for row in expanded["value"].as_array().unwrap() {
            let mut names = row["contact_customer_accounts"].as_array().unwrap().clone();
            if let Some(link) = row["contact_customer_accounts@odata.nextLink"].as_str() {
                let rest = world.get(link.strip_prefix(ROOT).unwrap()).await;
                names.extend(rest["value"].as_array().unwrap().clone());
            }
            found.push(names.len());
        }
        assert_eq!(found, [2, 2, 2, 2], "four accounts fit");
        let last = &expanded["value"][3];
        assert_eq!(last["contact_customer_accounts"].as_array().unwrap().len(), 0, "{last}");
    }

    pub async fn links_of_full_answers_are_bounded(mut world: World) {
        for number in 0..20 {
            let body = format!("{{\"name\":\"N{number:02}\",\"description\":\"{}\"}}", "x".repeat(1_000));
            let account = world.post("accounts", &body).await;
            let parent = format!("\"parentcustomerid_account@odata.bind\":\"/accounts({account})\"");
            world.post("contacts", &format!("{{\"lastname\":\"Ann\",{parent}}}")).await;
        }
        world.limits.answer_bytes_max = 4_000;
        let long = "y".repeat(3_000);
        let target = |top: usize, filter: &str| {
            format!(
                "accounts?$select=description&$orderby=name&$top={top}&$expand=contact_customer_accounts($select=lastname{filter})\
                 &@p='Ann'&@long='{long}'"
            )
        };
        let link = |found: &serde_json::Value, row: usize| {
            found["value"][row]["contact_customer_accounts@odata.nextLink"].as_str().map(str::to_owned)
        };
        // What a link needs is in it, and nothing else.
        let found = world.get(&target(4, ";$filter=lastname eq @p")).await;
        let last = link(&found, 3).unwrap();
        assert!(last.contains("@p=") && !last.contains("@long"), "{last}");
        let rest = world.get(last.strip_prefix(ROOT).unwrap()).await;
        assert_eq!(rest["value"][0]["lastname"], "Ann");
        // Long links are not repeated without end.
        let refused = world.ask("GET", &target(4, ";$filter=lastname ne @long"), &[], "").await;
        assert!(refused.expect_error(400, "0x80060888").contains("answer_bytes_max"));
        world.get(&target(3, ";$filter=lastname ne @long")).await;
    }

    pub async fn links_carry_everything_and_are_sealed(world: World) {
        accounts(&world, 5).await;
        let target =
            "accounts?$select=name,address1_city&$filter=name%20ne%20'N03'&$orderby=address1_city&$count=true&@x='+'";
        let prefer = [("prefer", "odata.maxpagesize=2")];
        let first = world.ask("GET", target, &prefer, "").await.expect(200);
        let link = first["@odata.nextLink"].as_str().unwrap().strip_prefix(ROOT).unwrap().to_owned();
        assert!(link.starts_with("accounts?$select=name,address1_city&"), "{link}");
        assert!(
            link.contains("&$skiptoken=%3Ccookie%20pagenumber%3D%222%22%20pagingcookie%3D%22%25253Ccookie"),
            "{link}"
        );
        assert!(link.contains("istracking%3D%22False%22"));
        let second = world.ask("GET", &link, &prefer, "").await.expect(200);
        assert_eq!(second["@odata.count"], first["@odata.count"]);
        assert!(second["value"][0].get("name").is_some());

        // Options may come back in another order, as a client that re-parses the link sends them.
        let (path, query) = link.split_once('?').unwrap();
        let mut options: Vec<&str> = query.split('&').collect();
        options.reverse();
        let reordered = format!("{path}?{}", options.join("&"));
        assert_eq!(world.ask("GET", &reordered, &prefer, "").await.expect(200)["value"], second["value"]);

        // Not another query, not another collection, not another caller, not a changed place.
        let other_query = link.replace("N03", "N04");
        world.ask("GET", &other_query, &prefer, "").await.expect_error(400, "0x80060888");
        let other_set = link
            .replace("accounts?$select=name,address1_city&", "contacts?")
            .replace("$filter=name%20ne%20%27N03%27&", "");
        assert_eq!(world.ask("GET", &other_set, &prefer, "").await.status, 400);
        let seller = world.user("sam", &["Salesperson"]).await;
        world.send(&seller, "GET", &link, &prefer, "").await.expect_error(400, "0x80060888");
        let moved = link.replace("page%25253D%2525221", "page%25253D%2525229");
        assert_ne!(moved, link);
        world.ask("GET", &moved, &prefer, "").await.expect_error(400, "0x80060888");
        world.ask("GET", &link, &prefer, "").await.expect(200);
    }
}
