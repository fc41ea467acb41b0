//! Pages and the links between them.

use crate::on_both_engines;

on_both_engines! {
    pages_joined_are_the_list;
    a_total_holds_over_pages;
    links_carry_everything_and_are_sealed;
    links_of_full_answers_are_bounded;
    pages_of_long_texts_end_early;
}

mod bodies {
    use serde_json::Value as Json;

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
