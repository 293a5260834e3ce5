/** Sentences by sentiment (bad, middling, good); `{}` is replaced by the name of the product. */
type BySentiment = readonly [readonly string[], readonly string[], readonly string[]];

export interface Phrases {
  openings: BySentiment;
  aspects: Record<(typeof aspects)[number], BySentiment>;
  closings: BySentiment;
  tickets: Record<Intent, readonly string[]>;
  /** Stands between sentences. */
  space: string;
}

export const aspects = ["quality", "delivery", "price", "description"] as const;

export const intents = [
  "where_is_my_order",
  "return_request",
  "refund_status",
  "damaged_item",
  "wrong_item",
  "cancel_order",
  "invoice_copy",
  "product_question",
] as const;
export type Intent = (typeof intents)[number];

export const english: Phrases = {
  space: " ",
  openings: [
    [
      "I regret buying the {}.",
      "Very disappointed with this {}.",
      "The {} was a waste of money.",
      "Not happy at all with the {}.",
    ],
    [
      "The {} is okay.",
      "An average {}, nothing special.",
      "The {} does what it should, no more.",
      "Mixed feelings about the {}.",
    ],
    ["I love this {}!", "The {} is excellent.", "Really happy with the {}.", "Best {} I have bought so far."],
  ],
  aspects: {
    quality: [
      ["It broke after a week.", "The material feels cheap and flimsy."],
      ["The finish could be better.", "Quality is acceptable."],
      ["The quality is superb.", "Solid, well made, and built to last."],
    ],
    delivery: [
      ["Delivery took three weeks and nobody answered.", "The parcel arrived torn open."],
      ["Delivery took the usual time.", "It came a day late, but it came."],
      ["It arrived the next day, well packed.", "Fast delivery and careful packing."],
    ],
    price: [
      ["Far too expensive for what you get.", "I saw it for half the price elsewhere."],
      ["The price is fair enough.", "You get what you pay for."],
      ["Great value for the price.", "A bargain, I would pay more for it."],
    ],
    description: [
      ["It looks nothing like the pictures.", "The size is wrong and the description is misleading."],
      ["The colour differs a little from the photo.", "The description is a bit short."],
      ["Exactly as described.", "It looks even better than on the pictures."],
    ],
  },
  closings: [
    ["I sent it back.", "Never again.", "Avoid."],
    ["Three stars from me.", "Maybe the next version will be better.", "Fine for occasional use."],
    ["Highly recommended.", "I will buy again.", "Five stars!"],
  ],
  tickets: {
    where_is_my_order: [
      "Hello, where is my order {}? It should have been here days ago.",
      "The tracking of {} has not moved since Monday. When will it arrive?",
      "I am still waiting for {}. Please tell me when it will be delivered.",
    ],
    return_request: [
      "I would like to return order {}, it does not fit.",
      "How do I send back {}? Please send me a return label.",
      "I changed my mind and want to return the items of {}.",
    ],
    refund_status: [
      "I sent back {} two weeks ago and the refund is still missing.",
      "When will I get my money back for {}?",
      "Has the refund for {} been processed?",
    ],
    damaged_item: [
      "The item of order {} arrived broken.",
      "The box of {} was crushed and the product is scratched.",
      "My order {} came damaged, I need a replacement.",
    ],
    wrong_item: [
      "I received the wrong article in order {}.",
      "Order {} contains something that I did not order.",
      "You sent me another colour than I ordered, see {}.",
    ],
    cancel_order: [
      "Please cancel my order {}.",
      "I ordered twice by mistake, cancel {} please.",
      "Can I still cancel {} before it ships?",
    ],
    invoice_copy: [
      "I need an invoice for {} with our VAT number.",
      "Please send the invoice of order {} again.",
      "The receipt for {} is missing in the parcel.",
    ],
    product_question: [
      "Before I open {}: does it come with a warranty?",
      "Is the item of {} suitable for children?",
      "Which batteries does the product of order {} need?",
    ],
  },
};

export const chinese: Phrases = {
  space: "",
  openings: [
    ["很后悔买了这个{}。", "对这款{}非常失望。", "这个{}完全是浪费钱。", "{}太差了，一点也不满意。"],
    ["{}还可以。", "很普通的{}，没什么特别。", "{}能用，但也仅此而已。", "对这个{}感觉一般。"],
    ["非常喜欢这个{}！", "{}真的很棒。", "这款{}让我很满意。", "买过的最好的{}。"],
  ],
  aspects: {
    quality: [
      ["用了一个星期就坏了。", "材质很差，做工粗糙。"],
      ["做工可以再好一些。", "质量一般。"],
      ["质量非常好。", "结实耐用，做工精细。"],
    ],
    delivery: [
      ["物流慢得要命，客服也不回复。", "包裹送到时已经破了。"],
      ["物流速度正常。", "晚到了一天，还能接受。"],
      ["第二天就送到了，包装很好。", "发货快，包装仔细。"],
    ],
    price: [
      ["价格太贵，根本不值。", "别家便宜一半。"],
      ["价格还算合理。", "一分钱一分货。"],
      ["性价比很高。", "太划算了，物超所值。"],
    ],
    description: [
      ["和图片完全不一样。", "尺寸不对，描述骗人。"],
      ["颜色和照片有一点色差。", "商品描述有点简单。"],
      ["和描述完全一致。", "实物比图片还好看。"],
    ],
  },
  closings: [
    ["已经退货了。", "再也不会买了。", "不推荐。"],
    ["给三星吧。", "希望以后能改进。", "偶尔用用还行。"],
    ["强烈推荐！", "下次还会再买。", "五星好评！"],
  ],
  tickets: {
    where_is_my_order: [
      "你好，我的订单{}到哪里了？早就该到了。",
      "订单{}的物流好几天没有更新了，什么时候能到？",
      "我还在等{}，请告诉我送货时间。",
    ],
    return_request: [
      "我想退货，订单{}的尺寸不合适。",
      "{}怎么退货？请发退货标签。",
      "我改变主意了，想退掉{}的商品。",
    ],
    refund_status: [
      "{}两周前就退回去了，退款还没有收到。",
      "{}的钱什么时候退给我？",
      "请问{}的退款处理了吗？",
    ],
    damaged_item: [
      "订单{}的商品收到时已经坏了。",
      "{}的箱子压扁了，商品有划痕。",
      "订单{}的商品破损，请给我换一个。",
    ],
    wrong_item: ["订单{}发错货了。", "{}里的东西不是我买的。", "收到的颜色和我订的不一样，订单{}。"],
    cancel_order: ["请取消我的订单{}。", "不小心下了两次单，请取消{}。", "{}还没有发货的话可以取消吗？"],
    invoice_copy: ["请给订单{}开一张发票。", "请重新发送{}的发票。", "{}的包裹里没有小票。"],
    product_question: ["请问订单{}的商品有保修吗？", "{}的商品适合小孩使用吗？", "订单{}的商品用什么电池？"],
  },
};
