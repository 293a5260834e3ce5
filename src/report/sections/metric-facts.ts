import { briefText, moneyText as money, numberText, shareText } from "../numbers.js";
import { intervalText } from "./interval.js";
import type { MetricsResult } from "./metrics.js";
import { weights, type Making, type WeightedFact } from "./section.js";

/** What an evaluation says in plain words: what decisions cost, how well it tells apart, what changed. */
export function metricFacts(result: MetricsResult, lead: string | undefined, making: Making): WeightedFact[] {
  return [
    ...costFact(result, making),
    ...qualityFacts(result, lead, making),
    ...changeFact(result, lead, making),
  ];
}

/** Money: the mean cost of a decision, beside what deciding alike for all would cost. */
function costFact(
  { metrics, intervals, decision, confusion }: MetricsResult,
  { say }: Making,
): WeightedFact[] {
  const own = metrics.average_cost;
  const cost = decision?.cost;
  if (typeof own !== "number" || !cost || !confusion) return [];
  const [positives, negatives] = [confusion.tp + confusion.fn, confusion.fp + confusion.tn];
  const none = (cost.fn * positives + cost.tn * negatives) / (positives + negatives);
  const all = (cost.tp * positives + cost.fp * negatives) / (positives + negatives);
  return [
    {
      weight: weights.money + 3,
      figure: money(own),
      label: say.metrics.costLabel,
      text: say.metrics.costText(intervalText(intervals?.average_cost, say), money(none), money(all)),
      tone: own < Math.min(none, all) ? "good" : "bad",
    },
  ];
}

function qualityFacts(result: MetricsResult, lead: string | undefined, { say }: Making): WeightedFact[] {
  const words = say.metrics;
  const { metrics, intervals = {}, rows, users, curves, gains, task, decision } = result;
  const facts: WeightedFact[] = [];
  const weight = weights.quality;
  const binary = curves !== undefined || decision?.positive !== undefined;
  if (typeof metrics.auc === "number" && binary)
    facts.push({
      weight,
      figure: shareText(metrics.auc),
      label: words.auc,
      text: words.aucText(shareText(metrics.auc), intervalText(intervals.auc, say, true), numberText(rows)),
    });
  else if (typeof metrics.r2 === "number" && typeof metrics.mae === "number")
    facts.push({
      weight,
      figure: shareText(metrics.r2),
      label: words.r2,
      text: words.r2Text(`${numberText(metrics.mae)}${intervalText(intervals.mae, say)}`, numberText(rows)),
    });
  else if (task === "recommendation" && lead?.includes("@")) facts.push(...rankingFact(result, lead, say));
  else if (lead !== undefined && typeof metrics[lead] === "number")
    facts.push({
      weight,
      figure: numberText(metrics[lead]),
      label: lead,
      text: words.other(lead, intervalText(intervals[lead], say), numberText(users ?? rows)),
    });
  const best = gains?.[0];
  if (best && best.share <= 0.15 && typeof best.gain === "number" && typeof best.lift === "number")
    facts.push({
      weight: weight + 1,
      figure: shareText(best.gain),
      label: words.lift,
      text: words.liftText(shareText(best.gain), briefText(best.lift)),
    });
  return facts;
}

function rankingFact(
  { metrics, intervals = {}, users, rows }: MetricsResult,
  lead: string,
  say: Making["say"],
): WeightedFact[] {
  const k = lead.split("@")[1];
  const [recall, hits] = [metrics[`recall@${k}`], metrics[`hit_rate@${k}`]];
  if (typeof recall !== "number") return [];
  return [
    {
      weight: weights.quality,
      figure: shareText(recall),
      label: say.metrics.ranking(k),
      text: say.metrics.rankingText(
        shareText(recall),
        intervalText(intervals[`recall@${k}`], say, true),
        k,
        typeof hits === "number" ? shareText(hits) : "",
        numberText(users ?? rows),
      ),
    },
  ];
}

/** The difference to the model that it was compared with, and whether it is more than chance. */
function changeFact(
  { against, task }: MetricsResult,
  lead: string | undefined,
  { say }: Making,
): WeightedFact[] {
  const words = say.metrics;
  const change = lead === undefined ? undefined : against?.differences[lead];
  if (!change || typeof change.difference !== "number" || typeof change.before !== "number") return [];
  const { difference, before, interval } = change;
  const sure = interval !== null && (interval[0] > 0 || interval[1] < 0);
  const lowerIsBetter = task === "regression" || task === "rating";
  const judged = interval === null ? words.changeUnpaired : sure ? words.changeSure : words.changeUnsure;
  return [
    {
      weight: weights.quality + 2,
      figure: `${difference >= 0 ? "+" : ""}${numberText(difference)}`,
      label: words.changeLabel(lead!),
      text: `${words.change(lead!, numberText(before))}${intervalText(interval, say)}; ${judged}`,
      tone: sure ? (difference > 0 !== lowerIsBetter ? "good" : "bad") : undefined,
    },
  ];
}
