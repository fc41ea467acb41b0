//! Pages and the links between them.

use crate::on_both_engines;

on_both_engines! {
    pages_joined_are_the_list;
    a_total_holds_over_pages;
    links_carry_everything_and_are_sealed;
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
