// For every moment of the past and every customer who had ordered within `active` days before it: whether no order
// followed within `horizon` days. The last moment is the day after the newest order, where nobody knows yet: those
// rows are to be scored; the moment before is for measuring, the earlier ones for learning.
const day = 86_400_000;

/** @param {object[]} tables order lines: customer_id, ordered_at, status */
export default function ([orders], { params }) {
  const { horizon, active, moments } = params;
  const [customers, times, states] = ["customer_id", "ordered_at", "status"].map((name) =>
    orders.getChild(name),
  );
  const byCustomer = new Map();
  let newest = -Infinity;
  for (let i = 0; i < orders.numRows; i++) {
    if (states && states.get(i) === "cancelled") continue;
    const at = Number(times.get(i));
    newest = Math.max(newest, at);
    const known = byCustomer.get(customers.get(i));
    if (known) known.push(at);
    else byCustomer.set(customers.get(i), [at]);
  }
  if (byCustomer.size === 0) throw new Error("there is no order to learn from");
  const today = Math.floor(newest / day) * day + day;
  const rows = [];
  for (let back = moments; back >= 0; back--) {
    const asOf = today - back * horizon * day;
    for (const [customer, ordered] of byCustomer) {
      if (!ordered.some((at) => at < asOf && at >= asOf - active * day)) continue;
      const returned = ordered.some((at) => at >= asOf && at < asOf + horizon * day);
      rows.push({
        customer,
        asOf,
        churned: back === 0 ? null : !returned,
        split: back === 0 ? "score" : back === 1 ? "test" : "train",
      });
    }
  }
  rows.sort((a, b) => a.asOf - b.asOf || (a.customer < b.customer ? -1 : 1));
  return {
    customer_id: rows.map(({ customer }) => customer),
    as_of: rows.map(({ asOf }) => new Date(asOf)),
    churned: rows.map(({ churned }) => churned),
    split: rows.map(({ split }) => split),
  };
}
