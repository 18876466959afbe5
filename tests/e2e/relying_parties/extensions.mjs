// AppAuth-JS is published for bundlers: its modules import each other without file extensions.
import { register } from 'node:module'

register('data:text/javascript,' + encodeURIComponent(`
  export const resolve = async (specifier, context, next) =>
    next(specifier, context).catch((error) => {
      if (!specifier.startsWith('.')) throw error
      return next(specifier + '.js', context).catch(() => next(specifier + '/index.js', context))
    })
`), import.meta.url)
