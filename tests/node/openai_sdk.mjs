// OpenAI's Node SDK as an application uses it. Job (JSON) on the command line, result (JSON) on standard output.
import OpenAI from "openai";

const job = JSON.parse(process.argv[2]);
const client = new OpenAI({ apiKey: job.key, baseURL: `${job.url}/v1` });
const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: "How high is the wäter?" }];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "get_weather", parameters: schema } }];
const calls = (message) => message.tool_calls.map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]);

const jobs = {
  async text(model) {
    const whole = await client.chat.completions.create({ model, messages });
    let streamed = "", pieces = 0, usage = null;
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta?.content;
      if (piece) { streamed += piece; pieces += 1; }
      usage = chunk.usage ?? usage;
    }
    const response = await client.responses.create({ model, input: "How high is the wäter?" });
    const folded = await client.responses.stream({ model, input: "How high is the wäter?" }).finalResponse();
    return { whole: whole.choices[0].message.content, streamed, pieces, usage, response: response.output_text, folded: folded.output_text };
  },
  async tools(model) {
    const whole = await client.chat.completions.create({ model, messages, tools });
    const folded = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    return { whole: calls(whole.choices[0].message), folded: calls(folded.choices[0].message), reason: folded.choices[0].finish_reason };
  },
  async structured(model) {
    const response_format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema } };
    const parsed = await client.chat.completions.parse({ model, messages, response_format });
    return { parsed: parsed.choices[0].message.parsed ?? JSON.parse(parsed.choices[0].message.content) };
  },
  async vectors(model) {
    const packed = await client.embeddings.create({ model, input: ["one", "two"] });
    const plain = await client.embeddings.create({ model, input: ["one", "two"], encoding_format: "float" });
    return { packed: packed.data.map((one) => Array.from(one.embedding)), plain: plain.data.map((one) => one.embedding) };
  },
  async refused(model) {
    try {
      await client.chat.completions.create({ model, messages });
    } catch (error) {
      return { name: error.constructor.name, status: error.status, code: error.code, retryAfter: error.headers.get("retry-after") };
    }
    return { name: "none" };
  },
};

const results = {};
for (const model of job.models) results[model] = await jobs[job.what](model);
console.log(JSON.stringify(results));
