/** An order quantity and what it costs per unit of time. */
export interface OrderQuantity {
  quantity: number;
  cost: number;
}

/**
 * Economic order quantity. Harris (1913), Factory 10:135-136, 152; Snyder & Shen (2019), Fundamentals of Supply Chain
 * Theory (FOSCT), eq. 3.4 and 3.5.
 *
 * @param order   money per order, > 0
 * @param holding money per unit and time, > 0
 * @param rate    units per time, > 0
 * @example economicOrder({ order: 8, holding: 0.225, rate: 1300 }) // { quantity: 304.0468, cost: 68.4106 }
 */
export function economicOrder({ order, holding, rate }: Economics): OrderQuantity {
  return { quantity: Math.sqrt((2 * order * rate) / holding), cost: Math.sqrt(2 * order * rate * holding) };
}

export interface Economics {
  order: number;
  holding: number;
  rate: number;
}

/** Prices that fall with the quantity: `costs[i]` a unit from `breaks[i]` units on; `breaks[0]` is 0. */
export interface Discounts {
  breaks: readonly number[];
  costs: readonly number[];
}

export interface DiscountedOrder extends OrderQuantity {
  /** Which price is paid, from 0. */
  region: number;
}

/**
 * The best order where every unit costs less from a break on. FOSCT 3.4.1.
 *
 * @param holdingRate money per time for money in stock (0.2: a fifth a year)
 */
export function allUnitsDiscount(
  { order, rate }: Omit<Economics, "holding">,
  holdingRate: number,
  { breaks, costs }: Discounts,
): DiscountedOrder {
  return cheapest(costs, (region) => {
    const cost = costs[region];
    const free = economicOrder({ order, holding: holdingRate * cost, rate }).quantity;
    const next = breaks[region + 1] ?? Infinity;
    // Beyond the region a lower price is paid for the same quantity: that region answers.
    if (free >= next) return undefined;
    const quantity = Math.max(free, breaks[region]);
    return { quantity, cost: cost * rate + (order * rate) / quantity + (holdingRate * cost * quantity) / 2 };
  });
}

/** The best order where only the units beyond a break cost less. FOSCT 3.4.2. */
export function incrementalDiscount(
  { order, rate }: Omit<Economics, "holding">,
  holdingRate: number,
  { breaks, costs }: Discounts,
): DiscountedOrder {
  return cheapest(costs, (region) => {
    const cost = costs[region];
    // What the dearer units before the break cost more.
    let dearer = 0;
    for (let i = 1; i <= region; i++) dearer += breaks[i] * (costs[i - 1] - costs[i]);
    const quantity = Math.sqrt((2 * (order + dearer) * rate) / (holdingRate * cost));
    if (quantity < breaks[region] || quantity >= (breaks[region + 1] ?? Infinity)) return undefined;
    return {
      quantity,
      cost:
        cost * rate + ((order + dearer) * rate) / quantity + (holdingRate * (cost * quantity + dearer)) / 2,
    };
  });
}

function cheapest(
  costs: readonly number[],
  inRegion: (region: number) => OrderQuantity | undefined,
): DiscountedOrder {
  const found = costs.flatMap((_, region) => {
    const order = inRegion(region);
    return order ? [{ ...order, region }] : [];
  });
  return found.reduce((best, one) => (one.cost < best.cost ? one : best));
}

/**
 * Economic order quantity where demand may wait. FOSCT eq. 3.27 to 3.29.
 *
 * @param penalty money per unit and time short, > 0
 * @returns `waiting`: the share of demand that waits
 */
export function backorderedOrder(
  { order, holding, rate }: Economics,
  penalty: number,
): OrderQuantity & { waiting: number } {
  const share = penalty / (holding + penalty);
  return {
    quantity: Math.sqrt((2 * order * rate) / (holding * share)),
    waiting: holding / (holding + penalty),
    cost: Math.sqrt(2 * order * rate * holding * share),
  };
}

/** Economic production quantity: stock fills at `production` units per time, more than `rate`. FOSCT eq. 3.30. */
export function productionQuantity({ order, holding, rate }: Economics, production: number): OrderQuantity {
  return economicOrder({ order, holding: holding * (1 - rate / production), rate });
}

/** Products that share an order: each is ordered with every `multiple`-th one. */
export interface JointOrder {
  /** Time between orders. */
  cycle: number;
  multiples: number[];
  cost: number;
}

/**
 * Joint replenishment. Silver (1976), A simple method of determining order quantities in joint replenishments under
 * deterministic demand, Management Science 22(12):1351-1361; FOSCT 3.6.
 *
 * @param shared money per order, whatever is in it
 */
export function jointOrder(shared: number, products: readonly Economics[]): JointOrder {
  const ratio = ({ order, holding, rate }: Economics): number => order / (holding * rate);
  const base = products.reduce((best, product) => (ratio(product) < ratio(best) ? product : best));
  const unit = (base.holding * base.rate) / (shared + base.order);
  const multiples = products.map((product) =>
    product === base ? 1 : Math.max(1, Math.round(Math.sqrt(ratio(product) * unit))),
  );
  const fixed = products.reduce((sum, { order }, i) => sum + order / multiples[i], shared);
  const held = products.reduce((sum, { holding, rate }, i) => sum + holding * rate * multiples[i], 0);
  return { cycle: Math.sqrt((2 * fixed) / held), multiples, cost: Math.sqrt(2 * fixed * held) };
}

/**
 * Economic order quantity from a supplier who fails at times. Parlar & Berkin (1991), Naval Research Logistics
 * 38:107-121; Berk & Arreola-Risa (1994), 41:129-132; FOSCT eq. 9.5.
 *
 * @param penalty  money per unit lost
 * @param failures failures per time while the supplier is up
 * @param repairs  recoveries per time while it is down
 */
export function disruptedOrder(
  { order, holding, rate }: Economics,
  penalty: number,
  failures: number,
  repairs: number,
): OrderQuantity {
  const costOf = (quantity: number): number => {
    const down =
      (failures / (failures + repairs)) * (1 - Math.exp((-(failures + repairs) * quantity) / rate));
    const paid = order + (holding * quantity ** 2) / (2 * rate) + (penalty * rate * down) / repairs;
    return paid / (quantity / rate + down / repairs);
  };
  const { quantity } = economicOrder({ order, holding, rate });
  const best = minimum(costOf, quantity / 100, quantity * 100);
  return { quantity: best, cost: costOf(best) };
}

/** Where a function with one valley between `low` and `high` is least: golden sections. */
export function minimum(f: (x: number) => number, low: number, high: number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [atLeft, atRight] = [f(left), f(right)];
  while (high - low > 1e-10 * (1 + Math.abs(low) + Math.abs(high))) {
    if (atLeft < atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = f(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = f(right);
    }
  }
  return (low + high) / 2;
}
