// What Grafana makes of the answers to a panel's queries, by its own @grafana/data: frames, transformations, overrides, units, reducers,
// thresholds, mappings. Reads from stdin a list of { name, panel, answers }, where `answers` has by refId what Prometheus answers as
// `data.result`. Writes a list of { name, problems, shown }: what is wrong, and the texts that the panel shows.
'use strict';

const { createRequire } = require('node:module');
const { readFileSync } = require('node:fs');

const packages = createRequire(`${process.argv[2]}/`);
const data = packages('@grafana/data');
const { lastValueFrom } = packages('rxjs');
// What they ask of a browser: its language, and whether they are in a scene of Grafana's. With a window earlier they would style a page.
globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] };
globalThis.window = globalThis;

const theme = data.createTheme();
// Some have two names there, and one id.
const transformers = new Map(Object.values(data.standardTransformers).map((each) => [each.id, each]));
data.standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((each) => ({ id: each.id, name: each.name, transformation: () => Promise.resolve(each) }))
);
// What every panel of Grafana's has; the package has how each is applied, and not the list.
const isNumber = (field) => field.type === data.FieldType.number;
const properties = [
  ['unit', data.unitOverrideProcessor, isNumber],
  ['min', data.numberOverrideProcessor, isNumber],
  ['max', data.numberOverrideProcessor, isNumber],
  ['decimals', data.numberOverrideProcessor, isNumber],
  ['thresholds', data.thresholdsOverrideProcessor, isNumber],
  ['mappings', data.valueMappingsOverrideProcessor, () => true],
  ['color', data.identityOverrideProcessor, () => true],
  ['displayName', data.displayNameOverrideProcessor, () => true],
  ['noValue', data.stringOverrideProcessor, () => true],
  ['links', data.dataLinksOverrideProcessor, () => true],
];
const fieldConfigRegistry = new data.FieldConfigOptionsRegistry();
for (const [id, process, shouldApply] of properties) {
  fieldConfigRegistry.register({ id, path: id, name: id, process, override: process, shouldApply, settings: {} });
}
// Such as `suffix:rows`.
const MADE_UNIT = /^(prefix|suffix|time|si|count|currency|bool):./;
const units = new Set(data.getValueFormats().flatMap((category) => category.submenu.map((format) => format.value)));

/** A label that a series has not is left, so that it is seen; but what `or vector(0)` gives has none at all, and is the panel's zero. */
function legend(format, labels) {
  const isZero = Object.keys(labels).length === 0;
  return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (whole, label) => labels[label] ?? (isZero ? '' : whole));
}

function nameOf(target, metric) {
  if (target.legendFormat && target.legendFormat !== '__auto') {
    return legend(target.legendFormat, metric);
  }
  const { __name__: name = '', ...labels } = metric;
  const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text.length ? `${name}{${text.join(', ')}}` : name || target.expr;
}

/** As the data source gives a graph's answer: a frame for each series. */
function seriesFrames(target, series) {
  return series.map(({ metric, values, value }) => {
    const samples = values ?? [value];
    return data.createDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: data.FieldType.time, values: samples.map(([at]) => at * 1000), config: {} },
        {
          name: 'Value',
          type: data.FieldType.number,
          labels: metric,
          values: samples.map(([, number]) => Number(number)),
          config: { displayNameFromDS: nameOf(target, metric) },
        },
      ],
    });
  });
}

/** As the data source gives a table's answer: one frame with a column for each label. */
function tableFrame(target, series, isOneOfSeveral) {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const ofLabels = labels.map((label) => ({
    name: label,
    type: data.FieldType.string,
    values: series.map(({ metric }) => metric[label] ?? ''),
    config: { filterable: true },
  }));
  return data.createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: data.FieldType.time, values: series.map(({ value }) => value[0] * 1000), config: {} },
      ...ofLabels,
      {
        name: isOneOfSeveral ? `Value #${target.refId}` : 'Value',
        type: data.FieldType.number,
        values: series.map(({ value }) => Number(value[1])),
        config: {},
      },
    ],
  });
}

function* wrongWords({ fieldConfig = {}, options = {}, transformations = [] }) {
  const { unit, color, thresholds, mappings = [] } = fieldConfig.defaults ?? {};
  const calcs = [...(options.reduceOptions?.calcs ?? []), ...(options.legend?.calcs ?? [])];
  yield* [unit].filter((id) => id && !units.has(id) && !MADE_UNIT.test(id)).map((id) => `there is no unit ${id}`);
  yield* calcs.filter((id) => !data.fieldReducers.getIfExists(id)).map((id) => `there is no reducer ${id}`);
  yield* transformations
    .filter(({ id }) => !data.standardTransformersRegistry.getIfExists(id))
    .map(({ id }) => `there is no transformation ${id}`);
  yield* (fieldConfig.overrides ?? [])
    .filter(({ matcher }) => !data.fieldMatchers.getIfExists(matcher.id))
    .map(({ matcher }) => `there is no matcher ${matcher.id}`);
  yield* (fieldConfig.overrides ?? [])
    .flatMap((override) => override.properties.map(({ id }) => id))
    .filter((id) => !id.startsWith('custom.') && !fieldConfigRegistry.getIfExists(id))
    .map((id) => `there is no property ${id}`);
  if (color && !data.fieldColorModeRegistry.getIfExists(color.mode)) {
    yield `there is no colour mode ${color.mode}`;
  }
  const steps = thresholds?.steps ?? [];
  const ofMappings = mappings.flatMap(({ type, options: of }) => (type === 'value' ? Object.values(of) : [of.result]));
  yield* [...steps, ...ofMappings]
    .filter((each) => each?.color && !/^(#|rgb)/.test(theme.visualization.getColorByName(each.color)))
    .map((each) => `there is no colour ${each.color}`);
  yield* wrongSteps(steps);
}

function* wrongSteps(steps) {
  const values = steps.map(({ value }) => value);
  if (steps.length && values[0] !== null) {
    yield `the first threshold is ${values[0]}, below which nothing has a colour`;
  }
  const rising = values.slice(1).every((value, at) => value !== null && (at === 0 || value > values[at]));
  if (!rising) {
    yield `the thresholds ${JSON.stringify(values)} do not rise`;
  }
}

function repeated(words) {
  return [...new Set(words.filter((word, at) => words.indexOf(word) !== at))];
}

/** Each name that a transformation changes is the name of a column. */
function* wrongColumns(transformations, frames) {
  const columns = new Set(frames.flatMap((frame) => frame.fields.map((field) => field.name)));
  for (const { id, options = {} } of transformations) {
    const named = [options.excludeByName, options.renameByName, options.indexByName].flatMap((each) => Object.keys(each ?? {}));
    yield* named.filter((name) => !columns.has(name)).map((name) => `${id} names a column ${name}, which is not there`);
  }
}

/** The labels of a row are its own: of two rows with the same ones, half of the columns are empty. */
function* wrongRows(frames) {
  if (frames.length !== 1) {
    yield `a table shows the first of its ${frames.length} frames only`;
    return;
  }
  const [{ fields, length }] = frames;
  const labels = fields.filter((field) => field.type === data.FieldType.string);
  const columns = fields.map((field) => field.name);
  yield* repeated(columns).map((column) => `several columns are called ${column}`);
  const rows = Array.from({ length }, (_, row) => JSON.stringify(labels.map((field) => field.values[row])));
  yield* repeated(rows).map((row) => `several rows are of ${row}`);
}

function* wrongNames(frames) {
  const names = frames.flatMap((frame) =>
    frame.fields
      .filter((field) => field.type === data.FieldType.number)
      .map((field) => data.getFieldDisplayName(field, frame, frames))
  );
  yield* names.filter((name) => name.includes('{{')).map((name) => `a series is called ${name}: it has no such label`);
  yield* repeated(names).map((name) => `several series are called ${name}`);
}

function texts(panel, frames) {
  if (panel.type === 'stat') {
    const { reduceOptions } = panel.options;
    const found = data.getFieldDisplayValues({ data: frames, reduceOptions, fieldConfig: panel.fieldConfig, replaceVariables: String, theme });
    return frames.length ? found.map(({ display }) => ({ value: display.numeric, ...display })) : [];
  }
  const numbers = frames.flatMap((frame) => frame.fields.filter((field) => field.type === data.FieldType.number));
  const calcs = panel.options?.legend?.calcs ?? [];
  const values = numbers.flatMap((field) => [
    ...field.values.map((value) => [field, value]),
    // More than was asked for is in it.
    ...calcs.map((calc) => [field, data.reduceField({ field, reducers: calcs })[calc]]),
  ]);
  return values.filter(([, value]) => Number.isFinite(value)).map(([field, value]) => ({ value, ...field.display(value) }));
}

function* wrongTexts(panel, shown) {
  const words = (panel.fieldConfig?.defaults?.mappings ?? []).flatMap(({ options }) => Object.values(options).map((each) => each.text));
  for (const { value, text, color } of shown) {
    if (!text?.trim() || /NaN|undefined|null/.test(text)) {
      yield `${value} is shown as ${JSON.stringify(text)}`;
    }
    if (!color) {
      yield `${value} has no colour`;
    }
    if (panel.type === 'state-timeline' && !words.includes(text)) {
      yield `the state ${value} has no word`;
    }
  }
}

async function examine({ name, panel, answers }) {
  const transformations = panel.transformations ?? [];
  const targets = panel.targets.map((target) => [target, answers[target.refId] ?? []]);
  const isTable = panel.type === 'table';
  const problems = [...wrongWords(panel)];
  const asked = targets.flatMap(([target, series]) =>
    target.format === 'table' ? [tableFrame(target, series, targets.length > 1)] : seriesFrames(target, series)
  );
  const merged = transformations.slice(0, -1);
  const before = await lastValueFrom(data.transformDataFrame(merged, asked));
  problems.push(...wrongColumns(transformations.slice(-1), before));
  const made = await lastValueFrom(data.transformDataFrame(transformations, asked));
  const fieldConfig = panel.fieldConfig ?? { defaults: {}, overrides: [] };
  const rest = { replaceVariables: (text) => text, theme, timeZone: 'utc' };
  const frames = data.applyFieldOverrides({ data: made, fieldConfig, fieldConfigRegistry, ...rest });
  problems.push(...(isTable ? wrongRows(frames) : wrongNames(frames)));
  const shown = texts(panel, frames);
  problems.push(...wrongTexts(panel, shown));
  const said = shown.map(({ prefix = '', text, suffix = '' }) => `${prefix}${text}${suffix}`);
  return { name, problems: [...new Set(problems)], shown: [...new Set(said)].slice(0, 20) };
}

async function main() {
  const panels = JSON.parse(readFileSync(0, 'utf8'));
  const found = await Promise.all(
    panels.map((each) => examine(each).catch((error) => ({ name: each.name, problems: [String(error?.stack ?? error)], shown: [] })))
  );
  process.stdout.write(JSON.stringify(found));
}

main();
