// The description of the API as a page to read and to try: swagger-ui, served from here and from nowhere else. It runs under a policy
// that lets no other script in, and nothing out but calls of this service.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Response } from 'express';
import { z } from 'zod';
import { sha256Hex } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { type Route, route } from './route.ts';

/** Its style sheet has pictures inside (`data:`); the rest are files of ours. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Its validator would be asked at swagger.io; what is typed into the page is kept nowhere. */
const START = `window.ui = SwaggerUIBundle({
  url: '/v1/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'none',
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
});
`;

interface Asset {
  /** Changes with its content: caches keep it for ever. */
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

interface Page {
  readonly html: Buffer;
  readonly assets: ReadonlyMap<string, Asset>;
}

/** `/v1/docs` and what it loads. @param directory of swagger-ui's files */
export function docsRoutes(directory = swaggerDirectory): readonly Route[] {
  let page: Promise<Page> | undefined;
  // Read when somebody asks for the first time: hardly any process is ever asked.
  const load = () => {
    page ??= readPage(directory()).catch(error => {
      page = undefined;
      throw error;
    });
    return page;
  };
  return [
    route({
      method: 'get',
      path: '/v1/docs',
      tag: 'service',
      summary: 'this description as a page, to read and to try calls',
      access: 'anybody',
      answer: 'stream',
      async handle({ response }) {
        const { html } = await load();
        response.setHeader('content-security-policy', POLICY);
        response.setHeader('referrer-policy', 'no-referrer');
        response.setHeader('cache-control', 'no-cache');
        sendTagged(response, 'text/html; charset=utf-8', html);
      },
    }),
    route({
      method: 'get',
      path: '/v1/docs/:file',
      tag: 'service',
      summary: 'what that page loads',
      access: 'anybody',
      params: z.object({ file: z.string().max(128) }),
      answer: 'stream',
      async handle({ params, response }) {
        const asset = (await load()).assets.get(params.file);
        if (!asset) throw serverError('not-found', 'The page of the API loads nothing of this name.');
        response.setHeader('cache-control', 'public, max-age=31536000, immutable');
        sendTagged(response, asset.type, asset.bytes);
      },
    }),
  ];
}

/** Express answers 304 by itself when the caller has it. */
function sendTagged(response: Response, type: string, bytes: Buffer): void {
  response.setHeader('etag', `"${sha256Hex(bytes)}"`);
  response.setHeader('content-type', type);
  response.setHeader('x-content-type-options', 'nosniff');
  response.send(bytes);
}

async function readPage(directory: string): Promise<Page> {
  const read = (name: string) =>
    readFile(`${directory}/${name}`).catch(cause => {
      throw serverError('not-found', 'This installation has no page of the API; /v1/openapi.json has all of it.', {
        cause,
      });
    });
  const style = asset('swagger-ui', 'css', 'text/css; charset=utf-8', await read('swagger-ui.css'));
  const script = (name: string, bytes: Buffer) => asset(name, 'js', 'text/javascript; charset=utf-8', bytes);
  const scripts = [script('swagger-ui', await read('swagger-ui-bundle.js')), script('start', Buffer.from(START))];
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rollover API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/v1/docs/${style.name}">
</head>
<body>
<div id="swagger-ui"></div>
${scripts.map(({ name }) => `<script src="/v1/docs/${name}"></script>`).join('\n')}
</body>
</html>
`;
  return { html: Buffer.from(html), assets: new Map([style, ...scripts].map(asset => [asset.name, asset])) };
}

function asset(name: string, suffix: string, type: string, bytes: Buffer): Asset {
  return { name: `${name}.${sha256Hex(bytes).slice(0, 16)}.${suffix}`, type, bytes };
}

/** In the package, beside this file (`test/tools/build.ts` puts it there); in a checkout, where npm has put it. */
function swaggerDirectory(): string {
  const isPacked = import.meta.url.endsWith('.js');
  return fileURLToPath(
    isPacked ? new URL('swagger-ui', import.meta.url) : new URL('.', import.meta.resolve(INSTALLED)),
  );
}

const INSTALLED = 'swagger-ui-dist/package.json';
