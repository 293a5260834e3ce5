import type { Engine } from "../engine/engine.js";
import { publicId, type ShopTables } from "./catalogue.js";
import { pick, slotted, withDraws } from "./draws.js";
import { segments, type ShopSize } from "./model.js";

/** Where customers live: share, and the language that they write. */
export const countries = [
  { code: "DE", share: 26, cities: ["Berlin", "Hamburg", "München", "Köln"] },
  { code: "FR", share: 18, cities: ["Paris", "Lyon", "Nîmes", "Lille"] },
  { code: "GB", share: 16, cities: ["London", "Leeds", "Bristol", "York"] },
  { code: "NL", share: 12, cities: ["Amsterdam", "Utrecht", "Delft", "Breda"] },
  { code: "CN", share: 20, cities: ["北京", "上海", "深圳", "杭州"] },
  { code: "SG", share: 8, cities: ["Singapore", "新加坡", "Bedok", "Tampines"] },
] as const;

export const countryCodes = countries.map(({ code }) => code);

const given = [
  "Anna",
  "Ben",
  "Chloé",
  "David",
  "Emma",
  "Finn",
  "Grace",
  "Hugo",
  "Ines",
  "Jan",
  "Lena",
  "Marc",
  "Nora",
  "Olaf",
  "Zoë",
  "Tom",
];
const family = [
  "Meyer",
  "Smith",
  "Dubois",
  "de Vries",
  "O'Neill",
  "Müller",
  "Jones",
  "Lefèvre",
  "Bakker",
  "Brown",
  "Weiß",
  "Martin",
];
const givenZh = ["伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "洋", "勇", "艳", "杰"];
const familyZh = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"];

/** Segment of each of twenty neighbouring customers. */
export const segmentOfTwenty: number[] = segments.flatMap((segment, g) =>
  new Array<number>(segment.ofTwenty).fill(g),
);

/** Which of the twenty visits: a weighted pick, as slots. */
export const visitorSlots: number[] = slotted(
  segmentOfTwenty.map((g) => segments[g].activity),
  400,
);

/** Blocks of twenty customers known at the start, and blocks that register later; a rest of fewer than twenty never visits. */
export function customerBlocks(customers: number): { old: number; arriving: number } {
  const blocks = Math.floor(customers / 20);
  const old = Math.max(1, Math.round(blocks * 0.7));
  return { old, arriving: blocks - old };
}

/** First day on which an arriving block may visit: all of its customers have registered by then. */
export function arrivalDay(block: string, size: ShopSize): string {
  const { arriving } = customerBlocks(size.customers);
  return `ceil(${size.days} * ((${block}) + 1) / ${arriving + 1}.0)`;
}

/**
 * Customers: block `c // 20`, place `c % 20` in it. The place says the segment; a third of the odd blocks of
 * old customers stop visiting at a day of their own (`churn_day`).
 */
export async function createCustomers(
  engine: Engine,
  tables: ShopTables,
  size: ShopSize,
  seed: number,
): Promise<void> {
  const { old, arriving } = customerBlocks(size.customers);
  const drawn = withDraws(
    `SELECT range AS c, range // 20 AS block FROM range(${size.customers})`,
    seed,
    "customer",
    {
      u_style: "c",
      u_country: "c",
      u_city: "c",
      u_given: "c",
      u_family: "c",
      u_signup: "c",
      u_churn: "c",
      u_churns: "c",
      u_birth: "c",
      u_mail: "c",
    },
  );
  const country = slotted(
    countries.map(({ share }) => share),
    100,
  );
  const signup = `CASE WHEN block < ${old} THEN -floor(1 + u_signup * u_signup * 900)
    ELSE floor(greatest(0, ${arrivalDay(`block - ${old}`, size)} - ${size.days} / ${arriving + 1}.0 * u_signup - 1)) END`;
  await engine.run(
    `CREATE TABLE ${tables.customer} AS
     SELECT c, segment, style, country, ${pick(countryCodes, "country / 6.0")} AS country_code, language, ${publicId("C", "c", size.customers)} AS customer_id,
       CASE WHEN language = 'zh' THEN ${pick(familyZh, "u_family")} || ${pick(givenZh, "u_given")}
            ELSE ${pick(given, "u_given")} || ' ' || ${pick(family, "u_family")} END AS name,
       CASE country ${countries.map(({ cities }, i) => `WHEN ${i} THEN ${pick(cities, "u_city")}`).join(" ")} END AS city,
       1950 + floor(u_birth * 56)::INTEGER AS birth_year,
       u_mail < 0.6 AS newsletter, signup_day::INTEGER AS signup_day,
       CASE WHEN block < ${old} AND block % 2 = 1 AND u_churns < 0.6 THEN floor(u_churn * ${size.days})::INTEGER END AS churn_day
     FROM (SELECT *, ([${segmentOfTwenty.join(", ")}])[1 + c % 20] AS segment,
             floor(u_style * 4)::INTEGER AS style,
             CASE WHEN country IN (4, 5) AND u_city < 0.8 THEN 'zh' ELSE 'en' END AS language, ${signup} AS signup_day
           FROM (SELECT *, ([${country.join(", ")}])[1 + floor(u_country * 100)::INTEGER] AS country FROM (${drawn})))
     ORDER BY c`,
  );
}
